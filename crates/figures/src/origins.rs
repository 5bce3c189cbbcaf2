//! Where the numbers of an experiment come from, over its runs.

use std::collections::BTreeSet;

/// What the runs' records say about where they come from.
#[derive(Default)]
pub struct Origins {
    commits: BTreeSet<String>,
    versions: BTreeSet<String>,
    data: BTreeSet<String>,
    hosts: BTreeSet<String>,
    devices: BTreeSet<String>,
    started: Option<String>,
    ended: Option<String>,
    seconds: f64,
}

impl Origins {
    /// Adds a run's.
    pub fn add(&mut self, manifest: &record::RunManifest) {
        let provenance = &manifest.provenance;
        self.commits.insert(match &provenance.git {
            Some(git) if git.dirty_patch_sha256.is_some() => format!("{} with local changes", git.commit),
            Some(git) => git.commit.clone(),
            None => "outside of a repository".to_owned(),
        });
        self.versions.extend(provenance.versions.iter().map(|(name, version)| format!("{name} {version}")));
        let host = &provenance.host;
        if !host.name.is_empty() {
            self.hosts.insert(format!("{} ({}, {}, {} processors)", host.name, host.platform, host.cpu, host.cpus));
        }
        if !provenance.data_sha256.is_empty() {
            self.data.insert(provenance.data_sha256.clone());
        }
        if !provenance.device.is_empty() {
            self.devices.insert(provenance.device.clone());
        }
        let started = manifest.timing.started.to_string();
        let ended = manifest.until().to_string();
        self.started = Some(self.started.take().map_or(started.clone(), |other| other.min(started)));
        self.ended = Some(self.ended.take().map_or(ended.clone(), |other| other.max(ended)));
        self.seconds += manifest.own_seconds();
    }

    /// A name and the distinct values over the runs.
    pub fn rows(self) -> Vec<(String, Vec<String>)> {
        let second =
            |time: String| time.split('.').next().map_or(time.clone(), |t| format!("{}Z", t.trim_end_matches('Z')));
        vec![
            ("commit".into(), self.commits.into_iter().collect()),
            ("versions".into(), self.versions.into_iter().collect()),
            ("SHA-256 of the images".into(), self.data.into_iter().collect()),
            ("host".into(), self.hosts.into_iter().collect()),
            ("device".into(), self.devices.into_iter().collect()),
            ("first run started".into(), self.started.map(second).into_iter().collect()),
            ("last run ended".into(), self.ended.map(second).into_iter().collect()),
            ("training time".into(), vec![spec::duration(self.seconds)]),
        ]
    }
}
