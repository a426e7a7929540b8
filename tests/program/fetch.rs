//! Devices that fetch their image, with clients of many makes in the place of their command lines: programs of this
//! host, which a step of the procedure starts.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::Program;
use crate::support::real::client_or_skip;

const SIZE: usize = 3_000_001;

struct Site {
    folder: TempDir,
    image: Vec<u8>,
    text: String,
}

impl Site {
    /// An image of a folder, and nothing else. `of_image`: more keys of it.
    fn new(serve: &str, of_image: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image: Vec<u8> = (0..SIZE as u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2..3].to_vec())
            .collect();
        for name in ["source", "devices"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("source/a.bin"), &image).unwrap();
        let source = folder.path().join("source");
        let text = format!(
            "memory: 512 KiB\nbuffer_size: 32 KiB\nserve: {{ {serve} }}\n\
             file_servers: {{ hq: {{ url: \"file://{}\" }} }}\ndefaults: {{ deliver: fetch, path: /a.bin }}\n",
            source.display()
        );
        let mut site = Self {
            folder,
            image,
            text,
        };
        site.sections(of_image);
        site
    }

    fn sections(&mut self, of_image: &str) {
        let line =
            format!("images: {{ a: {{ file: a.bin, type: t, version: \"2\"{of_image} }} }}\n");
        self.text += &line;
    }

    fn device(&self, name: &str) -> PathBuf {
        self.folder.path().join("devices").join(name)
    }

    /// The rest of the inventory: devices of one type, and what they do.
    fn devices(&mut self, count: usize, keys: &str, steps: &[String]) {
        let steps: Vec<String> = steps
            .iter()
            .map(|step| format!("      - {step}\n"))
            .collect();
        let line = format!(
            "types: {{ t: {{ procedure: p }} }}\nprocedures:\n  p:\n    fetch:\n{}entities:\n  - {{ name: \"d[1-{count}]\", \
             type: t, version: \"1\", address: \"127.0.0.1:[1-{count}]\"{keys} }}\ngroups: {{ g: {{ image: a, source: \
             {{ file_server: hq }}, select: {{ type: t }} }} }}\n",
            steps.concat()
        );
        self.text += &line;
    }

    /// A step that makes a device fetch, by the program and arguments; `DEVICE` is its file.
    fn step(&self, over: &str, words: &[&str]) -> String {
        let file = self.device("{entity}");
        let words: Vec<String> = (words.iter())
            .map(|word| format!("{:?}", word.replace("DEVICE", file.to_str().unwrap())))
            .collect();
        format!(
            "{{ exec: [{}], fetch: {over}, within: 50s }}",
            words.join(", ")
        )
    }

    /// A step that proves what it has.
    fn proof(&self) -> String {
        let file = self.device("{entity}");
        format!(
            "{{ exec: [sha256sum, {file:?}], expect: '^(?<sha256>[0-9a-f]{{64}})', is: \"{{sha256}}\", proves: digest, \
             within: 20s }}"
        )
    }

    async fn run(&self) -> (Value, Option<i32>) {
        let file = self.folder.path().join("site.yaml");
        fs::write(&file, &self.text).unwrap();
        let args = ["run", "--all", "--json", "-i", file.to_str().unwrap()];
        let state = self.folder.path().join("state");
        let (lines, code, said) = Program::keeping(&state, &args).end().await;
        let last = lines
            .last()
            .unwrap_or_else(|| panic!("{said}\n{}", self.text));
        (serde_json::from_str(last).unwrap(), code)
    }

    fn has_image(&self, name: &str) -> bool {
        fs::read(self.device(name)).is_ok_and(|bytes| bytes == self.image)
    }
}

fn entities(summary: &Value) -> &Vec<Value> {
    summary["groups"][0]["entities"].as_array().unwrap()
}

fn of<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let mut all = entities(summary).iter();
    all.find(|one| one["entity"] == name).unwrap()
}

#[tokio::test]
async fn clients_of_every_make_get_one_reading_of_the_image_over_their_protocol() {
    let clients: [(&str, &str, &[&str]); 9] = [
        ("curl", "http", &["curl", "-fsS", "-o", "DEVICE", "{url}"]),
        ("wget", "http", &["wget", "-qO", "DEVICE", "{url}"]),
        (
            "busybox",
            "http",
            &["busybox", "wget", "-qO", "DEVICE", "{url}"],
        ),
        ("curl", "ftp", &["curl", "-fsS", "-o", "DEVICE", "{url}"]),
        (
            "busybox",
            "ftp",
            &[
                "busybox", "ftpget", "-P", "{port}", "{server}", "DEVICE", "{file}",
            ],
        ),
        ("curl", "tftp", &["curl", "-fsS", "-o", "DEVICE", "{url}"]),
        (
            "tftp",
            "tftp",
            &[
                "tftp", "-m", "binary", "{server}", "{port}", "-c", "get", "{file}", "DEVICE",
            ],
        ),
        (
            "atftp",
            "tftp",
            &[
                "atftp",
                "--option",
                "windowsize 16",
                "-g",
                "-r",
                "{file}",
                "-l",
                "DEVICE",
                "{server}",
                "{port}",
            ],
        ),
        (
            "busybox",
            "tftp",
            &[
                "busybox", "tftp", "-g", "-r", "{file}", "-l", "DEVICE", "{server}", "{port}",
            ],
        ),
    ];
    for (program, over, words) in clients {
        let Some(path) = client_or_skip(program) else {
            continue;
        };
        let mut words = words.to_vec();
        words[0] = path.to_str().unwrap();
        let mut site = Site::new(&format!("{over}: \"127.0.0.1:0\""), "");
        let steps = [site.step("true", &words), site.proof()];
        // Three read one pool, and none is so slow that it would be read again.
        site.devices(3, "", &steps);
        site.text = site
            .text
            .replace("select: { type: t }", "select: { type: t }, laggards: wait");
        let (summary, code) = site.run().await;
        let what = format!("{program} over {over}: {summary}");
        assert_eq!(code, Some(0), "{what}");
        for name in ["d1", "d2", "d3"] {
            assert!(site.has_image(name), "{what}");
            assert_eq!(of(&summary, name)["verified"], "digest", "{what}");
            assert_eq!(of(&summary, name)["holds"], "new", "{what}");
        }
        assert_eq!(summary["source_bytes"], SIZE, "{what}");
        assert!(
            summary["peak_pool_bytes"].as_u64().unwrap() <= 512 << 10,
            "{what}"
        );
    }
}

/// The pool is smaller than the image, so that a device that has asked for nothing stops it.
#[tokio::test]
async fn a_device_that_is_late_shares_the_first_pass_where_it_is_waited_for_and_holds_up_nobody_where_not()
 {
    if client_or_skip("curl").is_none() {
        return;
    }
    let late = "until [ -s d2 ]; do sleep 0.1; done; sleep 1";
    let after_the_other = "until [ -e d2.done ]; do sleep 0.1; done";
    for (gather, first, passes) in [
        ("10m", late, 1),
        ("100ms", after_the_other, 2),
        ("0s", after_the_other, 2),
    ] {
        let served = format!("http: \"127.0.0.1:0\", gather: {gather}");
        let mut site = Site::new(&served, "");
        let script =
            format!("cd $0; case $1 in d1) {first};; esac; curl -fsS -o $1 $2 && : >$1.done");
        let folder = site.device("");
        let words = [
            "sh",
            "-c",
            &script,
            folder.to_str().unwrap(),
            "{entity}",
            "{url}",
        ];
        let steps = [site.step("http", &words), site.proof()];
        site.devices(2, "", &steps);
        let limited = "select: { type: t }, laggard_limit: 100ms, retries: 0";
        site.text = site.text.replace("select: { type: t }", limited);
        // Shorter than what is waited for where nothing is said.
        site.text = site.text.replace("within: 50s", "within: 20s");
        let (summary, code) = site.run().await;
        assert_eq!(code, Some(0), "{gather}: {summary}");
        assert!(
            site.has_image("d1") && site.has_image("d2"),
            "{gather}: {summary}"
        );
        assert_eq!(
            summary["groups"][0]["passes"], passes,
            "{gather}: {summary}"
        );
        if passes == 1 {
            assert_eq!(summary["source_bytes"], SIZE, "{summary}");
        }
    }
}

#[tokio::test]
async fn a_device_whose_fetch_breaks_off_comes_again_and_goes_on() {
    if client_or_skip("curl").is_none() {
        return;
    }
    let mut site = Site::new("http: \"127.0.0.1:0\"", "");
    let script = "curl -fsS -r 0-1000000 -o DEVICE $0 && curl -fsS -C - -o DEVICE $0";
    let steps = [
        site.step("http", &["sh", "-c", script, "{url}"]),
        site.proof(),
    ];
    site.devices(1, "", &steps);
    let (summary, code) = site.run().await;
    assert_eq!(code, Some(0), "{summary}");
    assert!(site.has_image("d1"), "{summary}");
    assert_eq!(of(&summary, "d1")["attempts"], 1, "{summary}");
}

#[tokio::test]
async fn nobody_gets_the_whole_of_an_image_that_is_another_than_the_inventory_says() {
    if client_or_skip("curl").is_none() {
        return;
    }
    for over in ["http", "ftp", "tftp"] {
        let wrong = "0".repeat(64);
        let mut site = Site::new(
            &format!("{over}: \"127.0.0.1:0\""),
            &format!(", sha256: \"{wrong}\""),
        );
        let steps = [site.step(over, &["curl", "-sS", "-o", "DEVICE", "{url}"])];
        site.devices(2, "", &steps);
        let (summary, code) = site.run().await;
        assert_eq!(code, Some(1), "{summary}");
        for name in ["d1", "d2"] {
            let one = of(&summary, name);
            let cause = one["cause"].as_str().unwrap();
            assert!(
                cause.contains(&wrong) && cause.contains("served to the device"),
                "{summary}"
            );
            assert_eq!(
                (&one["state"], &one["holds"]),
                (&"failed".into(), &"unknown".into()),
                "{summary}"
            );
            let got = fs::metadata(site.device(name)).map_or(0, |file| file.len());
            assert!(got < SIZE as u64, "{over}: {got} bytes");
        }
    }
}

#[tokio::test]
async fn what_a_device_says_without_having_asked_or_from_elsewhere_is_no_delivery() {
    let mut site = Site::new("http: \"127.0.0.1:0\"", "");
    let steps = [site.step("http", &["true"])];
    site.devices(1, "", &steps);
    let (summary, code) = site.run().await;
    assert_eq!(code, Some(1), "{summary}");
    let cause = of(&summary, "d1")["cause"].as_str().unwrap();
    assert!(
        cause.contains("the device has asked for nothing"),
        "{cause}"
    );

    if client_or_skip("curl").is_none() {
        return;
    }
    for (keys, delivered) in [("", false), (", fetch_from: 127.0.0.2", true)] {
        let mut site = Site::new("http: \"127.0.0.1:0\"", "");
        let words = [
            "curl",
            "-fsS",
            "--interface",
            "127.0.0.2",
            "-o",
            "DEVICE",
            "{url}",
        ];
        let steps = [site.step("http", &words)];
        site.devices(1, keys, &steps);
        let (summary, code) = site.run().await;
        let one = of(&summary, "d1");
        assert_eq!(site.has_image("d1"), delivered, "{summary}");
        if delivered {
            // Nothing proves it.
            assert_eq!(
                (code, &one["verified"]),
                (Some(0), &"none".into()),
                "{summary}"
            );
        } else {
            let cause = one["cause"].as_str().unwrap();
            assert!(cause.contains("add `fetch_from: 127.0.0.2`"), "{cause}");
        }
    }
}

#[tokio::test]
async fn where_an_address_is_taken_nothing_is_done_on_any_device() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let mut site = Site::new(&format!("http: \"{at}\""), "");
    let touch = format!(
        "{{ exec: [touch, {:?}], within: 5s }}",
        site.device("{entity}")
    );
    let steps = [touch, site.step("http", &["true"])];
    site.devices(2, "", &steps);
    let (summary, code) = site.run().await;
    assert_eq!(code, Some(1), "{summary}");
    for name in ["d1", "d2"] {
        let one = of(&summary, name);
        let cause = one["cause"].as_str().unwrap();
        assert!(
            cause.contains(&at.to_string()) && cause.contains("another program"),
            "{cause}"
        );
        assert_eq!(one["holds"], "old", "{summary}");
        assert!(!site.device(name).exists());
    }
    assert_eq!(summary["source_bytes"], 0, "{summary}");
}

/// Cut off in the middle, what a device holds is not known: it was made to fetch. The next run has it fetch anew.
#[tokio::test]
async fn killed_while_devices_fetch_it_is_said_that_nothing_is_known_of_them_and_they_fetch_anew() {
    if client_or_skip("curl").is_none() {
        return;
    }
    let mut site = Site::new("http: \"127.0.0.1:0\"", "");
    let words = [
        "curl",
        "-fsS",
        "--limit-rate",
        "1M",
        "-o",
        "DEVICE",
        "{url}",
    ];
    let steps = [site.step("http", &words), site.proof()];
    site.devices(2, "", &steps);
    let file = site.folder.path().join("site.yaml");
    fs::write(&file, &site.text).unwrap();
    let (state, file) = (site.folder.path().join("state"), file.to_str().unwrap());
    let mut run = Program::keeping(&state, &["run", "--all", "--json", "-i", file]);
    run.until(|line| line.contains("\"progress\"") && !line.contains("\"sent\":0"))
        .await;
    run.child.kill().await.unwrap();
    let recover = |more: &'static [&'static str]| {
        let args = [&["recover", "--json", "-i", file], more].concat();
        Program::keeping(&state, &args).end()
    };
    let (lines, code, said) = recover(&[]).await;
    let report = lines.join("\n");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        report.contains("\"unknown\"") && !report.contains("\"untouched\""),
        "{report}"
    );
    let (lines, code, said) = recover(&["--resume"]).await;
    assert_eq!(code, Some(0), "{said}{}", lines.join("\n"));
    assert!(site.has_image("d1") && site.has_image("d2"));
}

#[tokio::test]
async fn no_device_is_made_to_fetch_an_image_that_its_source_does_not_have() {
    let mut site = Site::new("http: \"127.0.0.1:0\"", "");
    fs::remove_file(site.folder.path().join("source/a.bin")).unwrap();
    let steps = [site.step("http", &["touch", "DEVICE"])];
    site.devices(2, "", &steps);
    let (summary, code) = site.run().await;
    assert_eq!(code, Some(1), "{summary}");
    for name in ["d1", "d2"] {
        let one = of(&summary, name);
        assert_eq!(
            (&one["state"], &one["holds"]),
            (&"failed".into(), &"old".into()),
            "{summary}"
        );
        assert!(
            one["cause"].as_str().unwrap().contains("no such file"),
            "{summary}"
        );
        assert!(!site.device(name).exists(), "{summary}");
    }
}
