//! The Python that fetches libtorch, installs and packs keeps its promises; needs `ELBO_PYTHON`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn tools_do_as_they_say() {
    let Some(python) = std::env::var_os("ELBO_PYTHON") else {
        let hint = "set ELBO_PYTHON to a Python 3.11, or run `./just test`";
        writeln!(std::io::stderr(), "SKIPPED: tools_do_as_they_say\nhint: {hint}").unwrap();
        return;
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/tests.py");
    let output = Command::new(python).arg("-B").arg(tests).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
