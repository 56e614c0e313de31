//! Certificates for a test, by `openssl`: an authority, and what it signed.

use std::path::Path;
use std::process::Command;

fn openssl(dir: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const NEW: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority `NAME.pem`, and `NAME-server.pem` which it signed for `localhost`.
pub fn authority(dir: &Path, name: &str) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    openssl(
        dir,
        &[&["req", "-x509", "-days", "2", "-subj", "/CN=test", "-keyout", &key, "-out", &pem][..], &NEW].concat(),
    );
    signed(dir, name, &format!("{name}-server"), 2);
}

/// `CERTIFICATE.pem` and `CERTIFICATE.key`, signed by the authority for `localhost`; expired where its days
/// are negative.
pub fn signed(dir: &Path, authority: &str, certificate: &str, days: i32) {
    let (key, request, pem) =
        (format!("{certificate}.key"), format!("{certificate}.csr"), format!("{certificate}.pem"));
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    openssl(dir, &[&["req", "-subj", "/CN=localhost", "-keyout", &key, "-out", &request][..], &NEW].concat());
    let san = format!("{certificate}.san");
    std::fs::write(dir.join(&san), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    let days = days.to_string();
    let sign = ["-CAcreateserial", "-days", &days, "-extfile", &san];
    openssl(
        dir,
        &[&["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-out", &pem][..], &sign].concat(),
    );
}
