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
    signed(dir, name, &format!("{name}-server"));
}

/// `CERTIFICATE.pem` and `CERTIFICATE.key`, signed by the authority for `localhost`.
pub fn signed(dir: &Path, authority: &str, certificate: &str) {
    let request = request(dir, certificate);
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let (san, pem) = (format!("{certificate}.san"), format!("{certificate}.pem"));
    std::fs::write(dir.join(&san), EXTENSIONS).unwrap();
    let sign = ["-CAcreateserial", "-days", "2", "-extfile", &san];
    openssl(
        dir,
        &[&["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-out", &pem][..], &sign].concat(),
    );
}

/// The same, but it was valid in the year 2020 alone.
pub fn expired(dir: &Path, authority: &str, certificate: &str) {
    let request = request(dir, certificate);
    let config = format!(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n\
         x509_extensions=e\n[p]\ncommonName=supplied\n[e]\n{EXTENSIONS}"
    );
    std::fs::write(dir.join("ca.cnf"), config).unwrap();
    std::fs::write(dir.join("index"), "").unwrap();
    let (ca, ca_key, pem) = (format!("{authority}.pem"), format!("{authority}.key"), format!("{certificate}.pem"));
    let times = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-notext"];
    openssl(
        dir,
        &[
            &["ca", "-batch", "-config", "ca.cnf", "-in", &request, "-cert", &ca, "-keyfile", &ca_key, "-out", &pem][..],
            &times,
        ]
        .concat(),
    );
}

const EXTENSIONS: &str = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";

/// A request to be signed, with its key.
fn request(dir: &Path, certificate: &str) -> String {
    let (key, request) = (format!("{certificate}.key"), format!("{certificate}.csr"));
    openssl(dir, &[&["req", "-subj", "/CN=localhost", "-keyout", &key, "-out", &request][..], &NEW].concat());
    request
}
