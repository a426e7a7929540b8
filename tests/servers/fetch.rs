//! Devices that fetch an image which FTP servers of other makes have: curl stands for the devices.

use std::path::Path;

use subtend::inventory;
use subtend::model::{EntityState, Inventory, Login, Logins, Outcome, Verified};

use crate::support::real::{
    Make, PROFTPD, PURE_FTPD, RealServer, VSFTPD, client_or_skip, require_or_skip,
};
use crate::support::run::{Run, entity};

const DEVICES: usize = 3;
const SIZE: usize = 3_000_001;

fn image() -> Vec<u8> {
    let bytes = b"\r\n\0\xff\r\rx\n".iter().copied();
    bytes.cycle().take(SIZE).collect()
}

/// The pool is smaller than the image, and nobody is so slow that it would be read again.
fn site(server: &RealServer, curl: &Path, devices: &Path) -> (Inventory, Logins) {
    let (at, user) = (server.address, server.user);
    let (curl, device) = (curl.display(), devices.join("{entity}"));
    let text = format!(
        r#"
memory: 512 KiB
buffer_size: 32 KiB
serve: {{ http: "127.0.0.1:0" }}
credentials: {{ hq: {{ user: {user}, password: {{ env: HQ }} }} }}
file_servers: {{ hq: {{ url: "ftp://{at}", credentials: hq }} }}
images: {{ a: {{ file: image.bin, type: t, version: "2" }} }}
types: {{ t: {{ procedure: p, deliver: fetch }} }}
procedures:
  p:
    fetch:
      - {{ exec: ["{curl}", -fsS, -o, {device:?}, "{{url}}"], fetch: true, within: 50s }}
      - {{ exec: [sha256sum, {device:?}], expect: '^(?<sha256>[0-9a-f]{{64}})', is: "{{sha256}}", proves: digest, within: 20s }}
entities: [ {{ name: "d[1-{DEVICES}]", type: t, version: "1", address: "127.0.0.1:[1-{DEVICES}]", path: /a.bin }} ]
groups: {{ g: {{ image: a, source: {{ file_server: hq }}, select: {{ type: t }}, laggards: wait }} }}
"#
    );
    let inventory = inventory::parse(&text, Path::new("site.yaml"));
    let mut logins = Logins::default();
    let login = Login::with_password(server.user, server.password);
    logins.insert("hq".into(), login);
    (
        inventory.unwrap_or_else(|errors| panic!("{errors}")),
        logins,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_fetch_what_a_real_server_is_asked_for_once() {
    let Some(curl) = client_or_skip("curl") else {
        return;
    };
    let image = image();
    for make in [&VSFTPD as &'static dyn Make, &PURE_FTPD, &PROFTPD] {
        if !require_or_skip(make) {
            continue;
        }
        let (server, devices) = (RealServer::start(make), tempfile::tempdir().unwrap());
        server.put("image.bin", &image);
        let (inventory, logins) = site(&server, &curl, devices.path());
        let run = Run::with_logins(&inventory, logins);
        run.begin(&["g"]).await;
        let (summary, _) = run.finish().await;
        let case = format!("{}: {summary:#?}", make.name());
        assert_eq!(summary.outcome, Outcome::Delivered, "{case}");
        let read = (summary.groups[0].passes, summary.source_bytes);
        assert_eq!(read, (1, SIZE as u64), "{case}");
        assert!(summary.peak_pool_bytes <= summary.memory, "{case}");
        for name in inventory.entities.iter().map(|entity| &*entity.name) {
            let said = entity(&summary, name);
            let expected = (EntityState::Delivered, Verified::Digest);
            assert_eq!((said.state, said.verified), expected, "{case}");
            let got = std::fs::read(devices.path().join(name)).unwrap();
            assert!(got == image, "{name} of {case}");
        }
    }
}
