//! Tells the linker where libtorch lies at run time, here and in the crates behind, so that all starts without variables.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=ELBO_RUN_PATH");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        println!("cargo::error=`LIBTORCH` is not set; run `./just setup` in the checkout, or name your own libtorch");
        return;
    };
    let libtorch = libtorch.canonicalize().unwrap_or(libtorch);
    if !libtorch.join("include/ATen").is_dir() {
        println!("cargo::error=no libtorch at `{}`; run `./just setup` in the checkout", libtorch.display());
        return;
    }
    // What is installed or given away (`tools/dist.py`) has libtorch beside it, and looks nowhere else.
    // Else relative to this checkout's target folder, for binaries and for tests, so that a moved checkout still works;
    // then the folder itself, for a target folder elsewhere and for a libtorch of the user's own.
    let absolute = format!("{}/lib", libtorch.display());
    let paths = match std::env::var("ELBO_RUN_PATH") {
        Ok(path) => vec![path],
        Err(_) => vec!["$ORIGIN/../../.libtorch/lib".to_owned(), "$ORIGIN/../../../.libtorch/lib".to_owned(), absolute],
    };
    for path in &paths {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{path}");
    }
    println!("cargo::metadata=run_paths={}", paths.join(":"));
    let version = std::fs::read_to_string(libtorch.join("build-version")).unwrap_or_default();
    println!("cargo::metadata=libtorch_version={}", version.trim());
    println!("cargo::metadata=include={}", libtorch.join("include").display());
}
