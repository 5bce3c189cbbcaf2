//! What is said to those who ask for help, mistype, or ask for no colours.

use crate::support::{Place, SMALL, filled};

#[test]
fn help_texts() {
    let place = Place::new();
    for command in [
        "",
        "plan",
        "sweep",
        "evaluate",
        "list",
        "show",
        "diff",
        "compare",
        "figures",
        "report",
        "sample",
        "decode",
        "traverse",
        "interpolate",
        "reconstruct",
        "encode",
        "export",
        "pack",
        "unpack",
        "data",
        "data list",
        "data prepare",
        "data info",
        "reproduce",
        "gc",
        "completions",
        "man",
    ] {
        let said = place.elbo(&format!("{command} --help"));
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command}");
        for line in said.out.lines() {
            assert!(line.chars().count() <= 110, "`elbo {command} --help` has a long line: {line}");
        }
        let name = if command.is_empty() { "help".to_owned() } else { format!("help {command}").replace(' ', "-") };
        insta::assert_snapshot!(name, said.out);
    }
}

#[test]
fn slips_of_usage_end_with_2_and_a_hint() {
    let place = filled();
    for (arguments, complaint) in [
        ("", "Usage: elbo"),
        ("swep small.yaml", "a similar subcommand exists: 'sweep'"),
        ("list --sorted elbo", "a similar argument exists: '--sort'"),
        ("list --status finished", "possible values: new, running"),
        ("list --where latent_dim", "is not a condition"),
        ("list --where model.latents=3", "no run has a setting `model.latents`"),
        ("list --sort speed", "hint: "),
        ("plan nowhere.yaml", "nowhere.yaml"),
        ("plan small.yaml --set model.latentdim=3", "latent_dim"),
        ("plan small.yaml --set training.epochs=", "`training.epochs` is given no value"),
        (
            "plan small.yaml --set objective.warm_up_epochs=2 --set training.epochs=1",
            "longer than the 1 epoch of training",
        ),
        ("plan smal.yaml", "did you mean `small.yaml`?"),
        ("plan small.yaml --jobs 0", "expected a whole number from 1"),
        ("plan small.yaml --device gpu", "expected `cpu` or `cuda`"),
        ("show vae-glyphs-z9-b1-s0", "vae-glyphs-z9-b1-s0"),
        ("diff vae-glyphs-z2-b1-s0", "required"),
        ("interpolate vae-glyphs-z2-b1-s0 -o a.png", "two test images by `--test 3,17`"),
        ("compare small.yaml --split all", "possible values: train, validation, test"),
        ("data info minst", "there is no data set `minst`"),
        ("data info folder:", "has no path"),
        ("list --results small.yaml", "is not a folder"),
        ("completions tcsh", "possible values: bash"),
    ] {
        let said = place.elbo(arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "`elbo {arguments}`: {said:?}");
        assert!(said.err.contains(complaint), "`elbo {arguments}`: {said:?}");
        assert!(!said.err.contains("panicked"), "`elbo {arguments}`: {said:?}");
    }
}

#[test]
fn a_mistake_in_an_experiment_is_shown_where_it_is() {
    let place = Place::new();
    place.write("wrong.yaml", "name: wrong\ndataset: { name: glyphs }\nmodel: { hidden: [8], latentdim: 2 }\n");
    for command in ["plan", "sweep", "compare", "figures", "report"] {
        let said = place.elbo(&format!("{command} wrong.yaml"));
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{command}");
        assert!(said.err.contains("wrong.yaml:3:"), "{command}: {said:?}");
    }
    insta::assert_snapshot!(place.elbo("plan wrong.yaml").err);
}

#[test]
fn an_experiment_is_found_by_its_name() {
    let place = Place::new();
    // A folder of the same name is in nobody's way.
    std::fs::create_dir_all(place.path("experiments")).unwrap();
    std::fs::create_dir_all(place.path("small")).unwrap();
    std::fs::copy(place.path("small.yaml"), place.path("experiments/small.yaml")).unwrap();
    std::fs::remove_file(place.path("small.yaml")).unwrap();
    assert_eq!(place.json("plan small --json")["name"], "small");
    let near = place.elbo("plan smal");
    assert!(near.code == Some(2) && near.err.contains("hint: did you mean `small`?"), "{near:?}");
    let far = place.elbo("plan missing");
    assert!(far.code == Some(2) && far.err.contains("or a name in `experiments/`: `small`"), "{far:?}");
}

#[test]
fn an_installed_elbo_knows_its_experiments_by_name_everywhere() {
    let place = Place::new();
    for folder in ["prefix/bin", "prefix/share/elbo/experiments"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    std::fs::rename(place.path("small.yaml"), place.path("prefix/share/elbo/experiments/given.yaml")).unwrap();
    let alone = place.elbo("plan given");
    assert!(alone.code == Some(2) && alone.err.contains("given"), "{alone:?}");
    std::fs::rename(place.path("elbo"), place.path("prefix/bin/elbo")).unwrap();
    // As a link in a folder of the shell's path it finds them too.
    std::os::unix::fs::symlink("prefix/bin/elbo", place.path("elbo")).unwrap();
    assert_eq!(place.json("plan given --json")["name"], "small");
    // A checkout's own goes first.
    std::fs::create_dir_all(place.path("experiments")).unwrap();
    place.write("experiments/given.yaml", &SMALL.replace("name: small", "name: own"));
    assert_eq!(place.json("plan given --json")["name"], "own");
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let said = place.elbo("man pages");
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "pages\n", ""));
    // Two spaces, then a name: the commands that help tells of, `help` itself aside.
    let help = |arguments: &str| {
        let text = place.elbo(arguments).out;
        let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
        names.filter(|name| name != "help").collect::<Vec<_>>()
    };
    let mut commands: Vec<String> = help("--help").into_iter().map(|name| format!("elbo-{name}")).collect();
    commands.extend(help("data --help").into_iter().map(|name| format!("elbo-data-{name}")));
    commands.push("elbo".to_owned());
    commands.sort();
    let entries = std::fs::read_dir(place.path("pages")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut pages: Vec<String> = entries.map(|name| name.into_string().unwrap().replace(".1", "")).collect();
    pages.sort();
    assert_eq!(pages, commands);
    let plan = place.read("pages/elbo-plan.1");
    for part in [
        ".TH elbo-plan 1 \"\" \"elbo 0.0.0\"",
        ".SH OPTIONS",
        "ELBO_RESULTS",
        "training processes",
        ".nf\nExamples:\n  elbo plan",
    ] {
        assert!(plan.to_lowercase().contains(&part.to_lowercase()), "no `{part}` in\n{plan}");
    }
}

#[test]
fn results_are_where_the_environment_says() {
    let place = filled();
    std::fs::rename(place.path("results"), place.path("elsewhere")).unwrap();
    let output = place.command("list").env("ELBO_RESULTS", "elsewhere").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("vae-glyphs-").count(), 8);
    let output = place.command("list --results nowhere").env("ELBO_RESULTS", "elsewhere").output().unwrap();
    assert!(output.stdout.is_empty(), "what is typed goes before the environment");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = filled();
    assert!(!place.elbo("list").out.contains('\u{1b}'), "a pipe is no terminal");
    // `script` gives a command a terminal; not every machine has it.
    let on_terminal = |name: &str, value: &str| {
        let mut command = std::process::Command::new("script");
        command.args(["-qec", "./elbo list", "/dev/null"]).current_dir(place.path(""));
        command.env_remove("NO_COLOR").env("TERM", "xterm").env(name, value).stdin(std::process::Stdio::null());
        command.output().ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    let is_coloured = |bytes: Vec<u8>| bytes.contains(&0x1b);
    assert_ne!(on_terminal("ANYTHING", "1").map(is_coloured), Some(false));
    assert_ne!(on_terminal("NO_COLOR", "1").map(is_coloured), Some(true));
    assert_ne!(on_terminal("TERM", "dumb").map(is_coloured), Some(true));
}
