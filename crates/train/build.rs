//! Compiles the fused Adam against libtorch's headers; where libtorch lies comes from the build script of `model`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/adam.cpp");
    let from_model = |key: &str| std::env::var(format!("DEP_ELBO_MODEL_{key}")).unwrap_or_default();
    for path in from_model("RUN_PATHS").split(':') {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{path}");
    }
    println!("cargo::rustc-env=LIBTORCH_VERSION={}", from_model("LIBTORCH_VERSION"));
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/adam.cpp")
        .flag("-isystem")
        .flag(from_model("INCLUDE"))
        .opt_level(2)
        .compile("elbo_adam");
}
