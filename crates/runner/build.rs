//! Tells the linker where an installed `elbo` has the C compiler's run-time library, should the machine have none.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ELBO_RUN_PATH");
    if let Ok(path) = std::env::var("ELBO_RUN_PATH") {
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{path}");
    }
}
