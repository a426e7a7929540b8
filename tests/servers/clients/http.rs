//! curl with nginx, lighttpd and uploadserver.

use std::process::Command;

use super::{client, image, installed};
use crate::support::real::{
    HTTP_MAKES, Make, NGINX, Options, RealServer, Secure, UPLOADSERVER, require_or_skip,
};
use crate::support::tls::Identity;

fn curl(server: &RealServer) -> Command {
    let mut command = Command::new("curl");
    command.args(["-ksS", "-w", "%{http_code}", "-u"]);
    command.arg(format!("{}:{}", server.user, server.password));
    command
}

/// What it answers, and what is said of it.
fn code(command: &mut Command) -> String {
    let (_, said) = client(command);
    let at = said.len().saturating_sub(3);
    said.get(at..).unwrap_or(&said).to_owned()
}

#[test]
fn nginx_lighttpd_and_uploadserver_take_files_and_give_them_back() {
    if !installed("curl") {
        return;
    }
    let identity = Identity::self_signed();
    for (make, scheme) in HTTP_MAKES
        .into_iter()
        .flat_map(|make| [(make, "http"), (make, "https")])
    {
        if !require_or_skip(make) {
            continue;
        }
        let secure = (scheme == "https").then_some(Secure {
            identity: &identity,
            implicit: true,
        });
        let options = Options {
            secure,
            ..Options::default()
        };
        let server = RealServer::start_with(make, &options);
        let url = |path: &str| format!("{scheme}://{}/{path}", server.address);
        let local = server.dir().join("local");
        std::fs::write(&local, image()).unwrap();
        server.put("given.bin", &image());
        let said = match make.name() == UPLOADSERVER.name() {
            true => code(
                curl(&server)
                    .arg("-F")
                    .arg(format!("files=@{};filename=image.bin", local.display()))
                    .arg(url("upload")),
            ),
            false => {
                assert_eq!(
                    code(curl(&server).arg("-T").arg(&local).arg(url("new.tmp"))),
                    "201"
                );
                let to = format!("Destination: {}", url("image.bin"));
                let mut command = curl(&server);
                command.args(["-X", "MOVE", "-H", &to]).arg(url("new.tmp"));
                code(&mut command)
            }
        };
        assert!(
            ["201", "204"].contains(&&*said),
            "{} {scheme}: {said}",
            make.name()
        );
        assert!(
            server.file("image.bin").unwrap() == image(),
            "{}",
            make.name()
        );
        assert_eq!(
            server.files(),
            ["given.bin", "image.bin"],
            "{}",
            make.name()
        );
        let back = server.dir().join("back");
        let mut command = curl(&server);
        command
            .args(["-r", "300000-", "-o"])
            .arg(&back)
            .arg(url("given.bin"));
        let ranges = make.name() != UPLOADSERVER.name();
        assert_eq!(code(&mut command), if ranges { "206" } else { "200" });
        let given = std::fs::read(&back).unwrap();
        assert!(
            given
                == if ranges {
                    image()[300_000..].to_vec()
                } else {
                    image()
                }
        );
        let mut command = Command::new("curl");
        command.args(["-ksS", "-w", "%{http_code}"]);
        if make.name() != NGINX.name() {
            assert_eq!(
                code(command.arg(url("given.bin"))),
                "401",
                "{}",
                make.name()
            );
        }
    }
}

#[test]
fn nginx_has_the_places_that_sources_fail_at() {
    if !installed("curl") || !require_or_skip(&NGINX) {
        return;
    }
    let server = RealServer::start(&NGINX);
    server.put("image.bin", &image());
    let head = |place: &str, more: &[&str]| {
        let mut command = Command::new("curl");
        let url = format!("http://{}/{place}/image.bin", server.address);
        command.args(["-sS", "-D", "-", "-o", "/dev/null", "-r", "5-"]);
        client(command.args(more).arg(url)).1.to_lowercase()
    };
    let basic = format!("{}:{}", server.user, server.password);
    let token = format!("Authorization: Bearer {}", server.password);
    for (place, more, first) in [
        ("basic", &[][..], "401"),
        ("basic", &["-u", &basic], "206"),
        ("bearer", &[], "401"),
        ("bearer", &["-H", &token], "206"),
        ("whole", &[], "200"),
        ("changing", &[], "206"),
        ("moved", &[], "302"),
        ("away", &[], "302"),
        ("loop", &[], "302"),
    ] {
        let said = head(place, more);
        assert!(
            said.starts_with(&format!("http/1.1 {first}")),
            "{place}: {said}"
        );
    }
    let tag = || {
        let said = head("changing", &[]);
        said.lines()
            .find(|line| line.starts_with("etag: \""))
            .unwrap()
            .to_owned()
    };
    assert_ne!(tag(), tag());
    let moved = format!("location: http://{}/image.bin", server.address);
    assert!(head("moved", &[]).contains(&moved));
    let away = format!(
        "location: http://127.0.0.2:{}/image.bin",
        server.address.port()
    );
    assert!(head("away", &[]).contains(&away));
}
