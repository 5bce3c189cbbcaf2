//! Downloads against a server that serves rightly, lies, breaks off, redirects, stalls and sends too much.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use spec::known::{Digested, Files, Origin, Published};
use spec::{ImageShape, KnownDataset, hexadecimal};
use tempfile::TempDir;

use super::server::{Manner, Server};
use super::*;
use crate::folders::Folders;
use crate::images::Shape;
use crate::known::IDX_FILES;
use crate::split::Wanted;

/// Images of the made-up dataset, 13×60 pixels, so that no size is taken for granted.
const IMAGE: ImageShape = ImageShape { channels: 1, height: 13, width: 60 };
/// Its training and test images.
const COUNTS: [u8; 2] = [200, 40];
/// Its validation images, where it is in text files.
const N_VALIDATION: u8 = 30;

/// A made-up dataset as a row, with digests of its decompressed or its compressed files.
fn row(digested: Digested) -> KnownDataset {
    let sha256 = contents().map(|contents| {
        let bytes = match digested {
            Digested::Contents => contents,
            Digested::Compressed => compressed(&contents),
        };
        &*hexadecimal(&Sha256::digest(bytes)).leak()
    });
    row_of(Published { folders: &["test", "Test/raw"], mirrors: &[], digested, files: Files::Idx(sha256) })
}

fn row_of(published: Published) -> KnownDataset {
    let is_binary = matches!(published.files, Files::Amat(_));
    KnownDataset {
        name: "test",
        subject: "noise",
        image: IMAGE,
        is_binary,
        n_train: COUNTS[0].into(),
        n_validation: if is_binary { N_VALIDATION.into() } else { 0 },
        n_test: COUNTS[1].into(),
        classes: &[],
        citation: "nobody",
        licence: "none",
        origin: Origin::Published(published),
    }
}

/// Four IDX files of noise, about 200 KiB in all, the same in every process.
fn contents() -> [Vec<u8>; 4] {
    let noise = |n: usize, key| (0..n as u64).map(move |i| noise::bits(key, i) as u8);
    let side = |length: usize| [0, 0, 0, length as u8];
    let images = |n: u8| {
        let head = [[0, 0, 8, 3], [0, 0, 0, n], side(IMAGE.height), side(IMAGE.width)].concat();
        head.into_iter().chain(noise(usize::from(n) * IMAGE.n_pixels(), 1)).collect()
    };
    let labels = |n: u8| [0, 0, 8, 1, 0, 0, 0, n].into_iter().chain(noise(usize::from(n), 2)).collect();
    let [n_train, n_test] = COUNTS;
    [images(n_train), labels(n_train), images(n_test), labels(n_test)]
}

fn compressed(contents: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(contents).unwrap();
    gz.finish().unwrap()
}

/// The made-up dataset, and its files as they are served.
fn set() -> (PublishedSet<'static>, Vec<(String, Vec<u8>)>) {
    let served = contents().into_iter().zip(IDX_FILES);
    let served = served.map(|(contents, name)| (format!("{name}.gz"), compressed(&contents)));
    (set_of(Box::leak(Box::new(row(Digested::Contents)))), served.collect())
}

fn set_of(known: &KnownDataset) -> PublishedSet<'_> {
    let Origin::Published(published) = &known.origin else { panic!("it is published") };
    PublishedSet { known, published }
}

fn fetcher(mirrors: &[&str]) -> Fetcher {
    Fetcher {
        mirrors: Some(mirrors.iter().map(|&mirror| mirror.to_owned()).collect()),
        connect_timeout: Duration::from_millis(600),
        stall_timeout: Duration::from_millis(600),
        n_attempts: 3,
        pause: Duration::from_millis(1),
        n_redirects: 5,
    }
}

/// Fetches from a server of this manner into a fresh folder.
fn fetch(manner: Manner) -> (Result<(), DataError>, Server, TempDir) {
    let (set, served) = set();
    let server = Server::start(served, manner);
    let folder = tempfile::tempdir().unwrap();
    let result = fetcher(&[&server.url]).fetch(set, folder.path(), &mut |_| ());
    (result, server, folder)
}

/// That all four files are there and right, and nothing else but the lock.
fn is_whole(folder: &Path) -> bool {
    let (set, served) = set();
    let n_entries = fs::read_dir(folder).unwrap().count();
    n_entries == 5
        && set.files().into_iter().zip(served).all(|(file, (name, _))| check(&folder.join(name), file).is_ok())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn right_answers_are_kept_and_asked_for_once() {
    let (result, server, folder) = fetch(Manner::Right);
    result.unwrap();
    assert!(is_whole(folder.path()), "{:?}", names(folder.path()));
    assert_eq!(server.requests().len(), 4);
    let (set, _) = set();
    fetcher(&[&server.url]).fetch(set, folder.path(), &mut |_| ()).unwrap();
    assert_eq!(server.requests().len(), 4, "what is there is not asked for again");
    // A damaged file is fetched again, and only that.
    fs::write(folder.path().join("t10k-labels-idx1-ubyte.gz"), b"damaged").unwrap();
    fetcher(&[&server.url]).fetch(set, folder.path(), &mut |_| ()).unwrap();
    assert_eq!(server.requests().len(), 5);
    assert!(is_whole(folder.path()));
}

/// A row is all that is needed: found in a folder or fetched, checked, and read in its own size.
#[test]
fn a_row_with_digests_of_its_compressed_files_is_fetched_found_and_read() {
    let known = row(Digested::Compressed);
    let (set, served) = (set_of(&known), set().1);
    let server = Server::start(served.clone(), Manner::Right);
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders { data: Some(folder.path().join("data")), cache: folder.path().join("cache") };
    let load = || fetcher(&[&server.url]).load(set, &folders, &Wanted::default(), &mut |_| ());
    let Parts { train, validation, test, .. } = load().unwrap();
    assert_eq!(validation, None);
    assert_eq!(train.shape, Shape { n: 200, channels: 1, height: 13, width: 60 });
    assert_eq!([&train.pixels, &test.pixels], [&contents()[0][16..], &contents()[2][16..]]);
    assert_eq!(test.labels.as_deref(), Some(&contents()[3][8..]));
    assert_eq!(server.requests().len(), 4);

    // The same values compressed otherwise are another file, and decompressed copies cannot be told by these digests.
    let below = folders.data.as_ref().unwrap().join("Test/raw");
    fs::create_dir_all(&below).unwrap();
    for (name, contents) in IDX_FILES.iter().zip(contents()) {
        fs::write(below.join(name), contents).unwrap();
    }
    assert_eq!(set.find(&folders), Some(set.cache_folder(&folders)));
    for (name, bytes) in &served {
        fs::write(below.join(name), bytes).unwrap();
    }
    assert_eq!(set.find(&folders), Some(below.clone()));
    assert_eq!(load().unwrap().train, train);
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(&contents()[0]).unwrap();
    fs::write(below.join(&served[0].0), gz.finish().unwrap()).unwrap();
    let message = load().unwrap_err().to_string();
    assert!(message.contains("is not test's: it has SHA-256") && message.contains("hint: move it away"), "{message}");
    assert_eq!(server.requests().len(), 4, "the user's own copy is not fetched again");
}

/// Text files are served uncompressed, and found compressed too; their validation images are a split of their own.
#[test]
fn text_files_of_binary_images_are_fetched_found_and_read() {
    let bits = |n: u8, key| (0..usize::from(n) * IMAGE.n_pixels()).map(move |i| (noise::bits(key, i as u64) & 1) as u8);
    let counts = [COUNTS[0], N_VALIDATION, COUNTS[1]];
    let names = ["train.amat", "valid.amat", "test.amat"];
    let text = |(n, key)| {
        let values: Vec<String> = bits(n, key).map(|bit| bit.to_string()).collect();
        values.chunks(IMAGE.n_pixels()).map(|image| format!("{}\n", image.join(" "))).collect::<String>().into_bytes()
    };
    let texts: Vec<Vec<u8>> = counts.into_iter().zip(0..).map(text).collect();
    let digest = |i: usize| (names[i], &*hexadecimal(&Sha256::digest(&texts[i])).leak());
    let files = Files::Amat([digest(0), digest(1), digest(2)]);
    let known = row_of(Published { folders: &["test"], mirrors: &[], digested: Digested::Contents, files });
    let set = set_of(&known);
    let served: Vec<_> = names.iter().map(|&name| name.to_owned()).zip(texts.clone()).collect();
    let server = Server::start(served.clone(), Manner::Right);
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders { data: Some(folder.path().join("data")), cache: folder.path().join("cache") };
    let load = || fetcher(&[&server.url]).load(set, &folders, &Wanted::default(), &mut |_| ());
    let is_right = |parts: &Parts| {
        let images = [&parts.train, parts.validation.as_ref().unwrap(), &parts.test];
        images.into_iter().zip(counts).zip(0..).all(|((images, n), key)| {
            images.shape == Shape { n: n.into(), channels: 1, height: 13, width: 60 }
                && images.pixels.iter().copied().eq(bits(n, key).map(|bit| bit * 255))
        })
    };
    assert!(is_right(&load().unwrap()));
    assert_eq!(server.requests(), ["/train.amat", "/valid.amat", "/test.amat"]);

    // A copy in the data folder itself is known by its names, compressed or not, and refused when it is another.
    let data = folders.data.as_ref().unwrap();
    fs::create_dir_all(data).unwrap();
    for (name, text) in &served {
        fs::write(data.join(format!("{name}.gz")), compressed(text)).unwrap();
    }
    assert_eq!(set.find(&folders).as_ref(), Some(data));
    assert!(is_right(&load().unwrap()));
    let mut other = texts[1].clone();
    other[0] ^= 1;
    let cases = [
        (&texts[1][..100], "ends in the middle of image 1"),
        (&texts[2], "goes on after the 30 images"),
        (&other, "is not test's: its contents have SHA-256"),
        (&[], "empty"),
    ];
    for (damaged, problem) in cases {
        fs::write(data.join("valid.amat"), damaged).unwrap();
        let message = load().err().unwrap().to_string();
        assert!(message.contains(problem) && message.contains("hint: "), "{message}");
    }
    assert_eq!(server.requests().len(), 3, "the user's own copy is not fetched again");
}

#[test]
fn wrong_answers_are_refused_and_not_kept() {
    let cases = [
        (Manner::Lies, "serves something else"),
        (Manner::Page, "serves something else"),
        (Manner::EndsEarlyUnannounced, "ends"),
        (Manner::SendsMore, "sends more than"),
        (Manner::NeverEnds, "sends more than"),
        (Manner::RedirectsInALoop, "redirect"),
        (Manner::Missing, "status 404"),
        (Manner::Garbled, "http"),
    ];
    for (manner, why) in cases {
        let start = Instant::now();
        let (result, server, folder) = fetch(manner);
        let message = result.unwrap_err().to_string();
        assert!(message.to_lowercase().contains(why), "{manner:?}: {message}");
        assert!(message.contains(&server.url) && message.contains("hint: "), "{manner:?}: {message}");
        let kept: u64 =
            names(folder.path()).iter().map(|name| folder.path().join(name).metadata().unwrap().len()).sum();
        assert_eq!(kept, 0, "{manner:?}: {:?}", names(folder.path()));
        assert!(start.elapsed() < Duration::from_secs(20), "{manner:?} took {:?}", start.elapsed());
    }
}

#[test]
fn redirections_are_followed_within_a_limit() {
    let (result, _, folder) = fetch(Manner::Redirects);
    result.unwrap();
    assert!(is_whole(folder.path()));
    let (_, server, _) = fetch(Manner::RedirectsInALoop);
    assert!(server.requests().len() <= 6, "{:?}", server.requests());
}

#[test]
fn what_broke_off_is_continued() {
    let (result, server, folder) = fetch(Manner::TruncatesOnce);
    result.unwrap();
    assert!(is_whole(folder.path()));
    let (_, served) = set();
    let half = served[0].1.len() / 2;
    assert_eq!(server.requests()[1], format!("/train-images-idx3-ubyte.gz from {half}"));

    // A server that always breaks off brings half of the rest each time; what came is kept for the next call.
    let (result, server, folder) = fetch(Manner::Truncates);
    assert!(result.unwrap_err().to_string().contains("broke off"));
    assert_eq!(server.requests().len(), 3);
    let part = names(folder.path()).into_iter().find(|name| name.contains(".part-")).unwrap();
    let n = served[0].1.len();
    let kept = (0..3).fold(0, |kept, _| kept + (n - kept) / 2);
    assert_eq!(folder.path().join(part).metadata().unwrap().len() as usize, kept);
}

#[test]
fn a_part_that_was_wrong_from_the_start_is_begun_anew() {
    let (set, served) = set();
    let server = Server::start(served.clone(), Manner::Right);
    let folder = tempfile::tempdir().unwrap();
    fs::write(part_of(&server, folder.path()), vec![0; 1000]).unwrap();
    fetcher(&[&server.url]).fetch(set, folder.path(), &mut |_| ()).unwrap();
    assert!(is_whole(folder.path()));
    assert_eq!(server.requests()[..2], [format!("/{} from 1000", served[0].0), format!("/{}", served[0].0)]);
}

/// Where the first file's part is kept.
fn part_of(server: &Server, folder: &Path) -> std::path::PathBuf {
    let name = IDX_FILES[0];
    let words: Vec<u64> = format!("{}/{name}.gz", server.url).bytes().map(u64::from).collect();
    folder.join(format!(".{name}.part-{:016x}", noise::key(&words)))
}

#[test]
fn ranges_that_are_ignored_refused_or_wrong_do_no_harm() {
    for manner in [Manner::IgnoresRange, Manner::RefusesRange, Manner::WrongRange] {
        let (set, served) = set();
        let server = Server::start(served.clone(), manner);
        let folder = tempfile::tempdir().unwrap();
        fs::write(part_of(&server, folder.path()), &served[0].1[..1000]).unwrap();
        fetcher(&[&server.url]).fetch(set, folder.path(), &mut |_| ()).unwrap();
        assert!(is_whole(folder.path()), "{manner:?}");
        assert_eq!(server.requests()[0], format!("/{} from 1000", served[0].0));
    }
}

#[test]
fn a_wrong_part_is_dropped_and_fetched_anew_from_the_next_mirror() {
    let (set, served) = set();
    let (liar, honest) = (Server::start(served.clone(), Manner::Lies), Server::start(served, Manner::Right));
    let folder = tempfile::tempdir().unwrap();
    fetcher(&[&liar.url, &honest.url]).fetch(set, folder.path(), &mut |_| ()).unwrap();
    assert!(is_whole(folder.path()), "{:?}", names(folder.path()));
    assert_eq!((liar.requests().len(), honest.requests().len()), (4, 4), "a lie is not asked for twice");
}

#[test]
fn stalls_are_given_up() {
    for manner in [Manner::Stalls, Manner::Drips, Manner::Silent] {
        let start = Instant::now();
        let (result, server, _folder) = fetch(manner);
        let message = result.unwrap_err().to_string();
        assert_eq!(server.requests().len(), 3, "{manner:?}: {message}");
        assert!(start.elapsed() < Duration::from_secs(15), "{manner:?} took {:?}", start.elapsed());
    }
}

#[test]
fn a_server_that_is_not_there_or_overloaded() {
    let (set, _) = set();
    let folder = tempfile::tempdir().unwrap();
    // Port 9 discards, where anything listens at all.
    let error = fetcher(&["http://127.0.0.1:9"]).fetch(set, folder.path(), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("hint: check the network"), "{error}");
    // Whoever loads it is also told what was looked for, and where.
    let folders = Folders { data: Some(folder.path().join("mine")), cache: folder.path().join("cache") };
    let result = fetcher(&["http://127.0.0.1:9"]).load(set, &folders, &Wanted::default(), &mut |_| ());
    let error = result.err().unwrap().to_string();
    for told in ["`train-images-idx3-ubyte`", "`t10k-labels-idx1-ubyte`", "mine`", "mine/test`", "cache/test`"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    let (result, _, folder) = fetch(Manner::Overloaded);
    result.unwrap();
    assert!(is_whole(folder.path()));
}

#[test]
fn progress_is_told() {
    let (set, served) = set();
    let server = Server::start(served.clone(), Manner::Right);
    let folder = tempfile::tempdir().unwrap();
    let mut last = (0, None);
    let mut note = |progress: Progress<'_>| {
        if let Progress::Download { file: "train-images-idx3-ubyte", n_bytes, of } = progress {
            last = (n_bytes, of);
        }
    };
    fetcher(&[&server.url]).fetch(set, folder.path(), &mut note).unwrap();
    let n = served[0].1.len() as u64;
    assert_eq!(last, (n, Some(n)));
}

const CHILD_URL: &str = "DATA_TEST_CHILD_URL";
const CHILD_FOLDER: &str = "DATA_TEST_CHILD_FOLDER";

/// What each of eight processes does; nothing when it runs among the other tests.
#[test]
fn one_of_eight_processes() {
    let (Ok(url), Some(folder)) = (env::var(CHILD_URL), env::var_os(CHILD_FOLDER)) else {
        return;
    };
    let (set, _) = set();
    fetcher(&[&url]).fetch(set, Path::new(&folder), &mut |_| ()).unwrap();
    assert!(is_whole(Path::new(&folder)));
}

#[test]
fn eight_processes_download_once() {
    let (_, served) = set();
    let server = Server::start(served, Manner::Right);
    let folder = tempfile::tempdir().unwrap();
    let child = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "download::tests::one_of_eight_processes"]);
        command.env(CHILD_URL, &server.url).env(CHILD_FOLDER, folder.path()).stdout(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(|_| child()).collect();
    // And threads of this process beside them.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| fetcher(&[&server.url]).fetch(set().0, folder.path(), &mut |_| ()).unwrap());
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(server.requests().len(), 4, "{:?}", server.requests());
}
