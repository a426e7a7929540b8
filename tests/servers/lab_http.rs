//! The practice network over HTTP, as curl sees it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use subtend::lab::{Behaviour, Lab, LabOptions};
use subtend::model::{Inventory, Scheme};
use tempfile::TempDir;

use crate::clients::{client, installed};
use crate::support::{IMAGE, PATH, SERVER, behave, does, lab, network, over};

const SIZE: usize = (1 << 20) + 17;
/// Bytes of the old file of an entity.
const OLD: Option<u64> = Some(4096);

/// What curl answers: the status, the head in small letters, and the body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// A lab that speaks HTTP, and a folder for what is sent to it.
struct Site {
    lab: Lab,
    dir: TempDir,
}

impl Site {
    async fn new(behaviour: Behaviour, change: impl FnOnce(&mut Inventory)) -> Self {
        let (mut inventory, mut settings) = network(1, SIZE as u64);
        over(&mut inventory, |_| Scheme::Http, Scheme::Http);
        behave(&mut settings, "e001", behaviour.clone());
        settings.file_servers.insert(SERVER.into(), behaviour);
        change(&mut inventory);
        Self {
            lab: lab(&inventory, &settings).await,
            dir: TempDir::new().unwrap(),
        }
    }

    fn image(&self) -> Vec<u8> {
        self.lab.image_bytes(IMAGE, 0, SIZE).unwrap()
    }

    fn url(&self, path: &str) -> String {
        let entity = self.lab.inventory().entity("e001").unwrap();
        format!("http://{}{path}", entity.address)
    }

    fn image_url(&self) -> String {
        let server = self.lab.inventory().file_server(SERVER).unwrap();
        format!("http://{}/images/adsl-2.bin", server.address)
    }

    fn local(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn curl(&self, arguments: &[&str], url: &str) -> Answer {
        let file = |name| self.dir.path().join(name);
        let (head, body) = (file("head"), file("body"));
        for old in [&head, &body] {
            let _ = std::fs::remove_file(old);
        }
        let mut command = Command::new("curl");
        command.args(["-sS", "-w", "%{http_code}", "-D"]).arg(&head);
        command.arg("-o").arg(&body).args(arguments).arg(url);
        let (_, said) = client(&mut command);
        let bytes = |path: &Path| std::fs::read(path).unwrap_or_default();
        Answer {
            // `100 Continue` is no answer yet.
            status: (said.get(..3).and_then(|code| code.parse().ok()))
                .filter(|status| *status >= 200)
                .unwrap_or_default(),
            head: String::from_utf8(bytes(&head)).unwrap().to_lowercase(),
            body: bytes(&body),
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_reads_a_file_and_parts_of_it() {
    if !installed("curl") {
        return;
    }
    let site = Site::new(Behaviour::default(), |_| {}).await;
    let (image, url) = (site.image(), site.image_url());
    let whole = site.curl(&[], &url);
    assert_eq!(whole.status, 200);
    assert!(whole.body == image);
    assert_eq!(site.lab.bytes_served(SERVER), SIZE as u64);
    let tag = whole.header("etag").unwrap().to_owned();
    let modified = whole.header("last-modified").unwrap();
    assert!(
        tag.starts_with('"') && modified.ends_with("gmt"),
        "{}",
        whole.head
    );

    let head = site.curl(&["-I"], &url);
    assert_eq!(head.header("content-length"), Some(&*SIZE.to_string()));
    assert_eq!((head.status, head.header("etag")), (200, Some(&*tag)));
    for (range, first, last) in [
        ("300000-", 300_000, SIZE - 1),
        ("0-0", 0, 0),
        ("5-70000", 5, 70_000),
        ("-9", SIZE - 9, SIZE - 1),
    ] {
        let part = site.curl(&["-r", range, "-H", &format!("If-Range: {tag}")], &url);
        assert_eq!(part.status, 206, "{range}");
        let said = format!("bytes {first}-{last}/{SIZE}");
        assert_eq!(part.header("content-range"), Some(&*said));
        assert!(part.body == image[first..=last], "{range}");
    }
    let behind = site.curl(&["-r", &format!("{SIZE}-")], &url);
    assert_eq!(behind.status, 416);
    let said = format!("bytes */{SIZE}");
    assert_eq!(behind.header("content-range"), Some(&*said));

    // Another image is another one for those who know the first.
    assert!(site.lab.replace_image(SERVER, IMAGE));
    let other = site.curl(&["-r", "5-", "-H", &format!("If-Range: {tag}")], &url);
    assert_eq!((other.status, other.body.len()), (200, SIZE));
    assert!(other.header("etag").unwrap() != tag && other.body != image);
    assert_eq!(site.curl(&[], &site.url("/nothing")).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_stores_moves_and_deletes_files() {
    if !installed("curl") {
        return;
    }
    let site = Site::new(Behaviour::default(), |_| {}).await;
    let image = site.image();
    let local = site.local("image", &image);
    let named = site.url("/flash/a%20new.bin");
    assert_eq!(site.curl(&["-T", &local], &named).status, 201);
    let stored = site.lab.file("e001", "/flash/a new.bin").unwrap();
    assert!(stored.bytes() == image);
    assert_eq!(site.curl(&["-T", &local], &named).status, 204);
    // Of unknown length.
    let chunked = ["-H", "Transfer-Encoding: chunked", "-T", &local];
    assert_eq!(site.curl(&chunked, &named).status, 204);
    assert!(site.curl(&[], &named).body == image);
    assert_eq!(site.lab.bytes_received("e001"), 3 * SIZE as u64);

    let to = format!("Destination: {}", site.url(PATH));
    let moved = |more: &[&str]| site.curl(&[&["-X", "MOVE", "-H", &*to], more].concat(), &named);
    assert_eq!(moved(&["-H", "Overwrite: F"]).status, 412);
    assert_eq!(site.lab.file("e001", PATH).unwrap().size(), 4096);
    assert_eq!(moved(&[]).status, 204);
    assert_eq!(moved(&[]).status, 404);
    assert_eq!(site.lab.files("e001"), [PATH]);
    assert!(site.lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    let away = ["-X", "MOVE", "-H", "Destination: http://192.0.2.1/x"];
    assert_eq!(site.curl(&away, &site.url(PATH)).status, 502);

    let form = format!("image=@{local}");
    let posted = site.curl(&["-F", "slot=1", "-F", &form], &site.url("/cgi/up?slot=1"));
    assert_eq!((posted.status, &*posted.body), (200, &b"stored\n"[..]));
    let stored = site.lab.file("e001", "/cgi/up?slot=1").unwrap();
    assert!(stored.same_as_image(IMAGE));
    assert_eq!(
        site.curl(&["-F", "slot=1"], &site.url("/cgi/up")).status,
        400
    );
    assert_eq!(
        site.curl(&["-d", "slot=1"], &site.url("/cgi/up")).status,
        415
    );

    for status in [204, 404] {
        assert_eq!(site.curl(&["-X", "DELETE"], &site.url(PATH)).status, status);
    }
    assert_eq!(site.lab.files("e001"), ["/cgi/up?slot=1"]);
    assert_eq!(site.curl(&["-X", "PATCH"], &site.url(PATH)).status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_refuses_in_the_words_of_http() {
    if !installed("curl") {
        return;
    }
    // Settings, what is asked, status, bytes that came back or that are stored.
    let (put, get, head, remove) = ("PUT", "GET", "HEAD", "DELETE");
    let (half, size) = (Some(512 << 10), Some(SIZE as u64));
    for (words, asked, status, bytes) in [
        ("{ login: refuse }", get, 401, None),
        ("{ busy_times: 1 }", get, 503, None),
        ("{ busy_times: 1, busy_reply: '' }", get, 0, None),
        ("{ max_sessions: 0 }", put, 503, OLD),
        ("{ read_only: true }", put, 409, OLD),
        ("{ no_replace: true }", put, 409, OLD),
        ("{ no_delete: true }", remove, 403, OLD),
        ("{ no_read: true }", get, 403, None),
        ("{ disk_full_at: 512 KiB }", put, 507, half),
        ("{ confirm_at: 512 KiB }", put, 204, half),
        ("{ drop_at: 512 KiB }", put, 0, half),
        ("{ drop_at: 512 KiB }", get, 206, half),
        ("{ truncate_at: 512 KiB }", put, 204, half),
        ("{ truncate_at: 512 KiB }", get, 206, half),
        ("{ hang_up_at: 512 KiB }", put, 0, half),
        ("{ hang_up_on: RETR }", get, 0, None),
        ("{ hang_up_after: STOR }", put, 0, size),
        ("{ no_rest: true }", get, 200, size),
        ("{ no_size: true }", head, 200, None),
        ("{ no_size: true }", get, 206, size),
        ("{ size_block: 5000 }", head, 200, Some(1_050_000)),
        ("{ confirm_reply: '451 flash error' }", put, 503, size),
        ("{ replies: { STOR: '413 too large' } }", put, 413, OLD),
        ("{ replies: { SIZE: '500 what?' } }", head, 501, None),
    ] {
        let site = Site::new(does(words), |_| {}).await;
        let local = site.local("image", &site.image());
        let answer = match asked {
            "GET" => site.curl(&["-r", "0-"], &site.image_url()),
            "HEAD" => site.curl(&["-I"], &site.image_url()),
            "PUT" => site.curl(&["-T", &local], &site.url(PATH)),
            method => site.curl(&["-X", method], &site.url(PATH)),
        };
        assert_eq!(answer.status, status, "{words}: {}", answer.head);
        let came = match asked {
            "GET" => Some(answer.body.len() as u64).filter(|_| (200..300).contains(&status)),
            "HEAD" => (answer.header("content-length"))
                .filter(|_| status == 200)
                .map(|size| size.parse().unwrap()),
            _ => site.lab.file("e001", PATH).map(|file| file.size()),
        };
        assert_eq!(came, bytes, "{words}");
        site.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_is_the_one_of_the_inventory() {
    if !installed("curl") {
        return;
    }
    let site = Site::new(Behaviour::default(), with_user).await;
    for (arguments, status) in [
        (&[][..], 401),
        (&["-u", "nobody:x"], 401),
        (&["-u", "craft:x"], 200),
        (&["-H", "Authorization: Bearer abc"], 200),
    ] {
        let answer = site.curl(arguments, &site.image_url());
        assert_eq!(answer.status, status, "{arguments:?}");
        let asks = answer.header("www-authenticate").is_some();
        assert_eq!(asks, status == 401);
    }
}

fn with_user(inventory: &mut Inventory) {
    use subtend::model::{CredentialsRef, LoginBy, SecretSource};
    inventory.credentials.push(CredentialsRef {
        name: "noc".into(),
        user: "craft".into(),
        by: LoginBy::Password,
        secret: SecretSource::Empty,
    });
    Arc::make_mut(&mut inventory.file_servers[0]).credentials = Some("noc".into());
}

#[tokio::test]
async fn what_http_does_not_have_is_an_error_at_the_start() {
    for (words, key) in [
        ("{ pasv_host: 127.0.0.2 }", "pasv_host"),
        ("{ store_needs: ACCT }", "store_needs"),
        ("{ other_host_key: true }", "other_host_key"),
    ] {
        let (mut inventory, mut settings) = network(1, 1);
        over(&mut inventory, |_| Scheme::Http, Scheme::Http);
        behave(&mut settings, "e001", does(words));
        let started = Lab::start(&inventory, &settings, LabOptions::default()).await;
        let said = started.map(drop).unwrap_err().to_string();
        assert!(
            said.contains(&format!("entity e001: `{key}` means nothing over")),
            "{said}"
        );
    }
    let (mut inventory, settings) = network(1, 1);
    over(&mut inventory, |_| Scheme::Https, Scheme::Http);
    let started = Lab::start(&inventory, &settings, LabOptions::default()).await;
    let said = started.map(drop).unwrap_err().to_string();
    assert!(said.contains("does not speak https://"), "{said}");
}
