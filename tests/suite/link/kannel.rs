//! What `import kannel-config` writes is a configuration: the program's own check takes it, a gateway starts with
//! it, and texts go by the links that Kannel's prefixes named.

use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::process;
use crate::support::site::Site;

#[tokio::test]
async fn an_imported_configuration_passes_the_check_and_routes_as_kannels_prefixes_did() {
    let ((one, port_one), (two, port_two)) = (listener().await, listener().await);
    let mut site = Site::without_database();
    let group = |id: &str, port: u16, more: &str| {
        format!(
            "group = smsc\nsmsc = smpp\nsmsc-id = {id}\nhost = 127.0.0.1\nport = {port}\ntransceiver-mode = true\n\
             smsc-username = observer\nsmsc-password = secret\nmy-number = 12345\nenquire-link-interval = 30\n\
             reconnect-delay = 10\nthroughput = 5\nmsg-id-type = 0x01\nmax-pending-submits = 20\n{more}\n\n"
        )
    };
    let kannel = group("north", port_one, "preferred-prefix = \"00355;+355\"")
        + &group("south", port_two, "preferred-prefix = \"+38\"\nallowed-prefix = \"38;0039\"\nalt-charset = utf-8");
    let file = site.file("kannel.conf", "group = core\nadmin-port = 13000\n\n".to_owned() + &kannel);
    let output = site.path().join("links.toml");
    let args = ["import", "kannel-config", "--show-passwords", "--output"].map(str::to_owned);
    let paths = [output.display().to_string(), file.display().to_string()];
    process::ok(&site.config(), args.iter().chain(&paths)).await;
    site.tail = std::fs::read_to_string(&output).unwrap();
    process::ok(&site.config(), ["config", "check"]).await;
    let shown = process::ok(&site.config(), ["config", "show"]).await;
    assert_eq!(shown.matches("message_id_format = \"hex-decimal\"").count(), 2, "{shown}");

    let _gateway = site.start("gateway").await;
    let (mut north, mut south) = (Smsc::accept(&one).await, Smsc::accept(&two).await);
    let mut worker = Client::connect(&site.socket()).await;
    worker.send(asks(1, "", "355691234567")).await;
    assert_eq!(north.submit("1").await, "355691234567");
    worker.send(asks(2, "", "38345123456")).await;
    assert_eq!(south.submit("2").await, "38345123456");
    worker.send(asks(3, "", "+39061234567")).await;
    assert_eq!(south.submit("3").await, "39061234567");
}
