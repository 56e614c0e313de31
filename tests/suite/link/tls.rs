//! TLS to an SMSC, npm's `smpp` behind Node's TLS: certificates and names are verified both ways.

use serde_json::json;

use crate::support::authority::{authority, expired, signed};
use crate::support::peer::{Delivery, Peer};
use crate::support::process;
use crate::support::site::Site;

#[tokio::test]
async fn a_link_is_bound_by_tls_only_when_certificates_and_names_are_right() {
    let mut site = Site::without_database();
    let dir = site.path().to_owned();
    for name in ["ours", "strange"] {
        authority(&dir, name);
    }
    signed(&dir, "ours", "client");
    expired(&dir, "ours", "expired");
    let file = |name: &str| dir.join(name).display().to_string();
    let served = |name: &str| json!({"cert": file(&format!("{name}.pem")), "key": file(&format!("{name}.key"))});
    let mut asking = served("ours-server");
    asking["ca"] = json!(file("ours.pem"));
    let mut peer = Peer::start(json!({"tls": asking})).await;
    let open = Peer::start(json!({"tls": served("ours-server")})).await;
    let late = Peer::start(json!({"tls": served("expired")})).await;

    let keys = |ca: &str, name: &str, client: bool| {
        let client =
            if client { "client_certificate_file = \"client.pem\"\nclient_key_file = \"client.key\"" } else { "" };
        format!("tls = true\nca_file = \"{ca}.pem\"\nserver_name = \"{name}\"\nreconnect_seconds_max = 2\n{client}")
    };
    for (name, port, keys) in [
        ("good", peer.port, keys("ours", "localhost", true)),
        ("no-client", peer.port, keys("ours", "localhost", false)),
        ("other-authority", open.port, keys("strange", "localhost", false)),
        ("other-name", open.port, keys("ours", "smpp.example.net", false)),
        ("too-old", late.port, keys("ours", "localhost", false)),
    ] {
        site = site.link_with(name, port, &keys);
    }
    let roots = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists();
    if roots {
        site = site.link_with("own-roots", open.port, "tls = true\nserver_name = \"localhost\"");
    } else {
        println!("skipped: the system's roots: ca-certificates");
    }
    let gateway = site.start("gateway").await;
    peer.event("bound").await;
    peer.deliver(&[Delivery::text(1, "355680000001", "by TLS")]).await;
    peer.event("acknowledged").await;
    for (link, why) in [
        ("no-client", "CertificateRequired"),
        ("other-authority", "invalid peer certificate"),
        ("other-name", "not valid for name"),
        ("too-old", "expired"),
        ("own-roots", "UnknownIssuer"),
    ] {
        if link == "own-roots" && !roots {
            continue;
        }
        let line = gateway.logged(&format!("link={link} ")).await;
        assert!(line.contains(why), "{link}: {line}");
    }
    assert!(open.journal().iter().chain(&late.journal()).all(|line| line["event"] != "bound"));
}

#[tokio::test]
async fn files_of_tls_that_cannot_be_used_are_named_with_their_line_before_anything_starts() {
    let site = Site::without_database();
    authority(site.path(), "ours");
    signed(site.path(), "ours", "client");
    let keys = "tls = true\nca_file = \"missing.pem\"\nclient_certificate_file = \"client.key\"\nserver_name = \"a b\"";
    let site = site.link_with("north", 1, keys);
    let output = process::run(&site.config(), ["config", "check", "--for", "gateway"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    for what in ["`a b` is no name that a certificate can have", "client_certificate_file: stands without the other"] {
        assert!(said.contains(what), "{what}: {said}");
    }

    let site = Site::without_database();
    authority(site.path(), "ours");
    signed(site.path(), "ours", "client");
    signed(site.path(), "ours", "another");
    let keys = "tls = true\nca_file = \"missing.pem\"\nclient_certificate_file = \"client.key\"\nclient_key_file = \"client.key\"";
    let site = site.link_with("north", 1, keys).link_with("south", 1, "ca_file = \"ours.pem\"");
    let output = process::run(&site.config(), ["config", "check", "--for", "gateway"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("link[2].ca_file: is of no use without TLS"), "{said}");
    let mut site = site;
    site.tail = site.tail.replace("ca_file = \"ours.pem\"", "");
    let output = process::run(&site.config(), ["config", "check", "--for", "gateway"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("link[1].ca_file") && said.contains("missing.pem can't be read"), "{said}");
    assert!(said.contains("client.key holds no certificate in PEM form"), "{said}");

    site.tail = site
        .tail
        .replace("missing.pem", "ours.pem")
        .replace("\"client.key\"\nclient_key", "\"another.pem\"\nclient_key");
    let output = process::run(&site.config(), ["config", "check", "--for", "gateway"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("link `north`: tls:"), "{said}");
}
