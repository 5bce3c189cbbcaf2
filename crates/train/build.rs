//! Compiles the fused Adam against libtorch's headers, and tells the linker where libtorch lies at run time.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/adam.cpp");
    // Relative to the target folder of this checkout, so that a moved checkout still works: binaries, then tests.
    for up in ["../..", "../../.."] {
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/{up}/.libtorch/lib");
    }
    let Some(libtorch) = std::env::var_os("LIBTORCH").map(PathBuf::from) else {
        println!("cargo::error=`LIBTORCH` is not set; run `./just setup` in the checkout, or name your own libtorch");
        return;
    };
    let libtorch = libtorch.canonicalize().unwrap_or(libtorch);
    if !libtorch.join("include/ATen").is_dir() {
        println!("cargo::error=no libtorch at `{}`; run `./just setup` in the checkout", libtorch.display());
        return;
    }
    // A target folder elsewhere, or a libtorch of the user's own.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", libtorch.display());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/adam.cpp")
        .include(libtorch.join("include"))
        .flag("-isystem")
        .flag(libtorch.join("include"))
        .opt_level(2)
        .warnings(false)
        .compile("elbo_adam");
}
