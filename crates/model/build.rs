//! Tells the linker where libtorch lies at run time, so that tests and binaries start without variables.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=build.rs");
    // Relative to the target folder of this checkout, so that a moved checkout still works: binaries, then tests.
    for up in ["../..", "../../.."] {
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/{up}/.libtorch/lib");
    }
    // A target folder elsewhere, or a libtorch of the user's own.
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        let place = std::path::PathBuf::from(&libtorch);
        let place = place.canonicalize().unwrap_or(place);
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", place.display());
    }
}
