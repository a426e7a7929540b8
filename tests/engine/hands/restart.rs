//! Devices that go and come back, or do not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn restart(down: Duration, back: Duration) -> StepSpec {
    step(Deed::Restart { down, back })
}

/// Delivers the image, has it booted, and restarts the device.
async fn boots(bench: &mut Bench, back: Duration) -> Carried {
    bench.deliver().await;
    let set = bench.does(&expects(send("set boot image.bin"), "OK")).await;
    good(&set);
    let said = bench.does_before_restart(&restart_command()).await;
    good(&said);
    bench.does(&restart(LONG, back)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_boots_slowly_is_waited_for() {
    for over in [Over::Telnet, Over::Ssh] {
        let mut bench = Bench::banks(", boot_time: 1500ms", over).await;
        let carried = boots(&mut bench, LONG).await;
        assert_eq!(
            carried.what,
            "restart: down within 1m 00s, back within 1m 00s"
        );
        good(&carried);
        assert!(carried.said.starts_with("went after "), "{}", carried.said);
        assert_eq!(bench.open_sessions(), 1);
        let checked = bench.does(&version()).await;
        assert_eq!(good(&checked)["version"], "2");
        let state = bench.lab.machine(DEVICE).unwrap();
        assert!(
            state.boots == 1 && state.ran.values().all(|times| *times == 1),
            "{state:?}"
        );
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_comes_back_with_the_old_version_says_so() {
    let mut bench = Bench::banks(", boot_fails: true", Over::Telnet).await;
    good(&boots(&mut bench, LONG).await);
    let checked = bench.does(&version()).await;
    assert!(
        matches!(fault(&checked), Fault::Differs { .. }),
        "{checked:?}"
    );
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_stays_away_is_given_up_and_holds_no_session_meanwhile() {
    for over in [Over::Telnet, Over::Ssh] {
        let mut bench = Bench::banks(", never_back: true", over).await;
        let sessions = Arc::clone(&bench.target.sessions);
        let carried = boots(&mut bench, Duration::from_secs(2)).await;
        let failure = carried.result.unwrap_err();
        let said = failure.to_string();
        assert!(
            said.starts_with("restart: it did not come back within 2 s: "),
            "{said}"
        );
        let server = match over {
            Over::Telnet => "is its telnet server running?",
            Over::Ssh => "is its SSH server running?",
            Over::Http => panic!("no session is opened there"),
        };
        assert!(said.ends_with(server), "{said}");
        assert!(!carried.is_undone && sessions.available_permits() == 1);
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_may_have_sessions_while_a_device_restarts() {
    let mut bench = Bench::banks(", never_back: true", Over::Telnet).await;
    good(&bench.does_before_restart(&restart_command()).await);
    assert_eq!(bench.open_sessions(), 1);
    let (sessions, cancel) = (Arc::clone(&bench.target.sessions), bench.cancel.clone());
    let waits = restart(LONG, LONG);
    let waiting = bench.does(&waits);
    let (carried, ()) = tokio::join!(waiting, async {
        drop(within(LONG, sessions.acquire()).await.unwrap());
        cancel.cancel();
    });
    assert_eq!(*fault(&carried), Fault::Cancelled);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_does_not_go_is_given_up() {
    for over in [Some(Over::Telnet), Some(Over::Ssh), None] {
        let mut bench = match over {
            Some(over) => Bench::banks("", over).await,
            None => Bench::without_session("{ site: RESET }").await,
        };
        // With a session that is kept open, and without.
        for keeps in [false, true] {
            if keeps && over.is_some() {
                good(&bench.does_before_restart(&send("show version")).await);
            }
            let carried = bench.does(&restart(BRIEF, LONG)).await;
            assert_eq!(
                carried.result.unwrap_err().to_string(),
                "restart: it did not go down within 500 ms"
            );
            assert_eq!(bench.open_sessions(), 0);
        }
        bench.lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_restarts_in_mid_answer_has_failed_unless_that_was_wanted() {
    for over in [Over::Telnet, Over::Ssh] {
        let mut bench = Bench::banks(", reboot_on: show version", over).await;
        let carried = bench.does(&send("show version")).await;
        assert!(matches!(fault(&carried), Fault::Lost { .. }), "{carried:?}");
        assert!(!carried.is_undone);
        within(LONG, bench.lab.until_booted(DEVICE, 1)).await;
        within(LONG, bench.lab.until_serving(DEVICE)).await;
        good(&bench.does_before_restart(&send("show version")).await);
        good(&bench.does(&restart(LONG, LONG)).await);
        assert_eq!(bench.lab.machine(DEVICE).unwrap().boots, 2);
        bench.lab.stop().await;
    }
}

/// A connection that is shown a prompt.
async fn prompted(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.write_all(b"e001> ").await;
    stream
}

/// Its sessions stay open, and nobody answers new ones: nothing else shows that it went.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_loses_its_power_takes_no_leave() {
    let mut bench = Bench::banks("", Over::Telnet).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let entity = Arc::make_mut(&mut bench.target.entity);
    entity.session = Some(SessionAddress {
        host: address.ip().to_string(),
        port: Some(address.port()),
    });
    let transport = Arc::clone(&bench.transport);
    bench.device = Device::new(transport, bench.target.clone(), bench.cancel.clone());
    let reload = send("reload");
    let (carried, session) = tokio::join!(bench.does_before_restart(&reload), async move {
        let mut session = prompted(&listener).await;
        while session.read_u8().await.unwrap() != b'\r' {}
        // It still answers once, and then no more.
        drop(prompted(&listener).await);
        session
    });
    good(&carried);
    assert_eq!(bench.open_sessions(), 0);
    let waits = restart(BRIEF, LONG);
    let (carried, ended) = tokio::join!(bench.does(&waits), async {
        let listener = TcpListener::bind(address).await.unwrap();
        let (first, second) = (prompted(&listener).await, prompted(&listener).await);
        (listener, first, second)
    });
    good(&carried);
    assert_eq!(bench.open_sessions(), 1);
    drop((session, ended));
    bench.lab.stop().await;
}

/// A program that has a device restart has no session with it that would end.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_restart_that_a_program_begins_is_seen() {
    for over in [Over::Telnet, Over::Ssh] {
        let mut bench = Bench::banks("", over).await;
        let program = step(Deed::Exec(vec![template("true")]));
        good(&bench.does_before_restart(&program).await);
        assert_eq!(bench.open_sessions(), 1);
        bench.lab.restart(DEVICE, Duration::from_millis(100)).await;
        within(LONG, bench.lab.until_serving(DEVICE)).await;
        good(&bench.does(&restart(LONG, LONG)).await);
        bench.lab.stop().await;
    }
}

/// A wrong password that is tried again and again locks the user out.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_back_and_lets_nobody_in_is_not_asked_again() {
    let mut bench = Bench::of("{ ssh: 0, password: other }", Some(Over::Ssh), "> $").await;
    bench.lab.kill(DEVICE).await;
    let waits = restart(LONG, LONG);
    let waiting = bench.device.carry_out(&waits, &bench.values, false);
    let (carried, ()) = tokio::join!(within(LONG, waiting), async {
        tokio::time::sleep(BRIEF).await;
        bench.lab.revive(DEVICE).await;
    });
    assert!(
        matches!(fault(&carried), Fault::LoginRefused { .. }),
        "{carried:?}"
    );
    bench.lab.stop().await;
}
