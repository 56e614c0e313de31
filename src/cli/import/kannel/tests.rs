//! Configurations in the forms that Kannel's guide has: what they become, and what is said of the rest.

use std::path::Path;

use super::link::{Translated, Weight};
use super::read::{ReadError, read};
use super::translate::all;
use crate::limits::{KANNEL_FILE_BYTES_MAX, KANNEL_FILES_MAX};

fn write(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn translate(text: &str, numbers: &[&str]) -> (String, Translated) {
    let dir = tempfile::tempdir().unwrap();
    let groups = read(&write(dir.path(), "kannel.conf", text)).unwrap();
    let numbers: Vec<String> = numbers.iter().map(|n| (*n).to_owned()).collect();
    let out = all(&groups, &numbers, false);
    let toml = out.toml("kannel.conf");
    let tables = toml.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    (tables.trim().to_owned(), out)
}

/// Key and weight of each note, with its line.
fn notes(out: &Translated) -> Vec<(String, String, Weight)> {
    let line = |place: &str| place.rsplit(':').next().unwrap_or_default().to_owned();
    out.notes.iter().map(|note| (line(&note.place), note.key.clone(), note.weight)).collect()
}

const WHOLE: &str = r#"
# A gateway of today
group = core
admin-port = 13000
smsbox-port = 13001
store-type = spool

group = smsc
smsc = smpp
smsc-id = "Vodafone AL"
host = smpp.example.net
port = 2775
transceiver-mode = true
smsc-username = "observer"
smsc-password = "s\"cr#t"
system-type = "VMA"
  # an address range is no use to us
address-range = "^1510"
my-number = 15100
interface-version = 34
enquire-link-interval = 45
reconnect-delay = 10
wait-ack = 60
throughput = 7.5
max-pending-submits = 20
alt-charset = "ISO-8859-1"
alt-dcs = 1
msg-id-type = 0x01
validityperiod = 1440
source-addr-ton = 0
esm-class = 3
instances = 2
preferred-prefix = "00355;+355"
denied-smsc-id = other
made-up = yes

group = sms-service
keyword = default
get-url = "http://localhost/?text=%a"
"#;

#[test]
fn a_group_becomes_a_link_and_each_line_without_equal_is_named_with_its_place() {
    let (tables, out) = translate(WHOLE, &[]);
    assert_eq!(
        tables,
        r#"[[link]]
name = "Vodafone-AL"
host = "smpp.example.net"
port = 2775
system_id = "observer"
password_file = "smpp-Vodafone-AL"
system_type = "VMA"
numbers = ["15100"]
enquire_link_seconds = 45
reconnect_seconds_max = 10
response_timeout_seconds = 60
submits_per_second = 8
submit_window = 20
binds = 2
default_alphabet = "latin1"
message_id_format = "hex-decimal"
prefixes = ["355"]"#
    );
    assert_eq!(out.passwords, [("smpp-Vodafone-AL".to_owned(), "s\"cr#t".to_owned())]);
    assert!(!tables.contains("cr#t"), "a password is not printed");
    use Weight::{Mend, NoEqual, Otherwise};
    let expected = [
        ("24", "throughput", Mend),
        ("18", "address-range", NoEqual),
        ("27", "alt-dcs", NoEqual),
        ("29", "validityperiod", Otherwise),
        ("30", "source-addr-ton", Otherwise),
        ("31", "esm-class", NoEqual),
        ("34", "denied-smsc-id", Otherwise),
        ("35", "made-up", NoEqual),
        ("3", "group = core", Otherwise),
        ("37", "group = sms-service", Otherwise),
    ];
    assert_eq!(notes(&out), expected.map(|(line, key, weight)| (line.to_owned(), key.to_owned(), weight)));
}

#[test]
fn ports_that_differ_make_a_receiver_and_a_transmitter_in_one_group() {
    let text = "group = smsc\nsmsc = smpp\nsmsc-id = a\nhost = h\nport = 2775\nreceive-port = 2776\n\
                smsc-username = u\nsmsc-password = p\nmy-number = 1\n";
    let (tables, _) = translate(text, &[]);
    let heads: Vec<&str> =
        tables.lines().filter(|l| ["name", "group", "port ", "bind "].iter().any(|k| l.starts_with(k))).collect();
    assert_eq!(
        heads,
        [
            "name = \"a-rx\"",
            "group = \"a\"",
            "port = 2776",
            "bind = \"receiver\"",
            "name = \"a-tx\"",
            "group = \"a\"",
            "port = 2775",
            "bind = \"transmitter\"",
        ]
    );
    let (tables, _) = translate(&text.replace("2776", "2775"), &[]);
    assert!(tables.contains("port = 2775\nbind = \"pair\""), "{tables}");
    let (tables, out) = translate(&text.replace("2776", "0"), &[]);
    assert!(tables.contains("bind = \"transmitter\""), "{tables}");
    assert!(out.notes.iter().any(|n| n.key == "receive-port" && n.weight == Weight::Mend));
    let (tables, _) = translate(&text.replace("port = 2775\n", "port = 0\n"), &[]);
    assert!(tables.contains("port = 2776\nbind = \"receiver\""), "{tables}");
}

#[test]
fn groups_that_share_an_id_are_one_group_and_each_has_a_name_and_password_of_its_own() {
    let group = "group = smsc\nsmsc = smpp\nsmsc-id = a\nhost = h\nport = 1\ntransceiver-mode = yes\nsmsc-username = u\nsmsc-password = p\n\n";
    let (tables, out) = translate(&group.repeat(3), &["15100", "+355690000000"]);
    for number in 1..=3 {
        assert!(tables.contains(&format!("name = \"a-{number}\"\ngroup = \"a\"")), "{tables}");
    }
    assert_eq!(tables.matches("numbers = [\"15100\", \"+355690000000\"]").count(), 3);
    let names: Vec<&str> = out.passwords.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["smpp-a-1", "smpp-a-2", "smpp-a-3"]);
}

#[test]
fn tls_takes_the_clients_certificate_and_says_that_the_smscs_is_verified() {
    let text = "group = smsc\nsmsc = smpp\nhost = h.example\nport = 3550\ntransceiver-mode = 1\nuse-ssl = true\n\
                ssl-client-certkey-file = /etc/kannel/client.pem\nsmsc-username = u\nsmsc-password = p\n";
    let (tables, out) = translate(text, &["1"]);
    assert!(tables.starts_with("[[link]]\nname = \"h-example\""), "{tables}");
    assert!(tables.contains("tls = true\n") && tables.contains("client_certificate_file = \"/etc/kannel/client.pem\""));
    assert!(out.notes.iter().any(|n| n.key == "use-ssl" && n.what.contains("verified")));
}

#[test]
fn what_is_missing_or_no_number_is_to_be_mended() {
    let text = "group = smsc\nsmsc = smpp\nsmsc-id = a\nhost = h\ntransceiver-mode = true\nwait-ack = soon\nalt-charset = KOI8-R\ninterface-version = 33\n";
    let (tables, out) = translate(text, &[]);
    assert!(tables.contains("port = 2775") && tables.contains("numbers = []"), "{tables}");
    let mend: Vec<_> = out.notes.iter().filter(|n| n.weight == Weight::Mend).map(|n| n.key.as_str()).collect();
    assert_eq!(mend, ["port", "smsc-username", "smsc-password", "my-number", "wait-ack", "alt-charset"]);
    assert!(out.notes.iter().any(|n| n.key == "interface-version" && n.weight == Weight::NoEqual));
}

#[test]
fn includes_of_files_and_folders_are_read_and_places_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    let link = |id: &str| format!("group = smsc\nsmsc = smpp\nsmsc-id = {id}\nhost = h\nport = 1\nodd = 1\n");
    write(dir.path(), "conf.d/b.conf", &link("b"));
    write(dir.path(), "conf.d/a.conf", &link("a"));
    write(dir.path(), "one.conf", &link("one"));
    let main =
        write(dir.path(), "kannel.conf", "include = \"conf.d\"\ninclude = one.conf\n\ngroup = smsc\nsmsc = fake\n");
    let out = all(&read(&main).unwrap(), &[], false);
    let names: Vec<&str> = out.links.iter().map(|link| link.keys[0].1.as_str()).collect();
    assert_eq!(names, ["\"a\"", "\"b\"", "\"one\""]);
    let odd: Vec<&str> = out.notes.iter().filter(|n| n.key == "odd").map(|n| n.place.as_str()).collect();
    assert!(odd[0].ends_with("conf.d/a.conf:6") && odd[2].ends_with("one.conf:6"), "{odd:?}");
    assert!(out.notes.iter().any(|n| n.key == "group = smsc" && n.what.contains("`fake`")));
}

#[test]
fn what_cannot_be_read_is_named_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "k.conf", "group = smsc\nnonsense\n");
    assert!(read(&path).unwrap_err().to_string().ends_with("k.conf:2: neither `key = value` nor a comment"));
    let path = write(dir.path(), "k.conf", "group = \"smsc\n");
    assert!(matches!(read(&path).unwrap_err(), ReadError::Quote(place) if place.line == 1));
    let path = write(dir.path(), "k.conf", "include = k.conf\n");
    let error = read(&path).unwrap_err();
    assert!(matches!(error, ReadError::Many(_)), "a circle ends after {KANNEL_FILES_MAX} files: {error}");
    let long = format!("#{}\n", "x".repeat(KANNEL_FILE_BYTES_MAX as usize));
    assert!(matches!(read(&write(dir.path(), "k.conf", &long)).unwrap_err(), ReadError::Long(_)));
    assert!(matches!(read(&dir.path().join("none")).unwrap_err(), ReadError::Io { .. }));
}
