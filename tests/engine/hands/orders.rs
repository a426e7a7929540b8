//! `SITE` commands, and devices that have nothing else.

use super::*;

fn site(line: &str) -> StepSpec {
    step(Deed::Site(template(line)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_command_line_boots_its_image_by_site() {
    let mut bench = Bench::without_session("{ site: RESET, boot_time: 700ms }").await;
    bench.deliver().await;
    let set = expects(site("BOOT {path}"), r"(?<what>Boots) that file");
    let set = bench.does(&set).await;
    assert_eq!(set.what, "site \"BOOT /flash/image.bin\"");
    assert_eq!(good(&set)["what"], "Boots");
    assert_eq!(set.said, "Boots that file next");
    // Many such devices have room for one session.
    assert_eq!(bench.open_sessions(), 0);
    good(&bench.does_before_restart(&site("RESET")).await);
    let (down, back) = (LONG, LONG);
    good(&bench.does(&step(Deed::Restart { down, back })).await);
    let state = bench.lab.machine(DEVICE).unwrap();
    assert_eq!((state.version.as_str(), state.boots), ("2", 1));
    assert_eq!(bench.open_sessions(), 0);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_order_is_a_failure_in_the_words_of_the_device() {
    let mut bench = Bench::without_session("{ site: RESET }").await;
    let refused = bench.does(&site("BOOT /flash/none.bin")).await;
    assert_eq!(
        *fault(&refused),
        Fault::Reply {
            code: 550,
            text: "No such file".into()
        }
    );
    assert!(!refused.is_undone && refused.said == "550 No such file");
    let other = bench.does(&expects(site("BOOT {path}"), "Reboots")).await;
    assert_eq!(
        fault(&other).to_string(),
        "the device answered \"SITE BOOT /flash/image.bin\" with: Boots that file next"
    );
    // Where no restart is wanted, its end is one.
    let ends = bench.does(&site("RE\rSET")).await;
    assert!(
        ends.is_undone && matches!(fault(&ends), Fault::Local(_)),
        "{ends:?}"
    );
    assert_eq!(bench.lab.machine(DEVICE).unwrap().boots, 0);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_and_site_are_used_under_one_permit() {
    let mut bench = Bench::banks(", site: RESET", Over::Telnet).await;
    good(&bench.does(&send("show version")).await);
    good(&bench.does(&site("BOOT {path}")).await);
    assert_eq!(bench.open_sessions(), 1);
    good(&bench.does_before_restart(&site("RESET")).await);
    let (down, back) = (LONG, LONG);
    good(&bench.does(&step(Deed::Restart { down, back })).await);
    good(&bench.does(&send("show version")).await);
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_protocol_does_not_have_is_said() {
    let (mut inventory, settings) = network(1, 1000);
    crate::support::over(
        &mut inventory,
        |_| subtend::model::Scheme::Sftp,
        subtend::model::Scheme::Ftp,
    );
    let lab = lab(&inventory, &settings).await;
    let mut bench = Bench::without_session("{ site: RESET }").await;
    bench.target.entity = Arc::clone(&lab.inventory().entities[0]);
    let transport = Arc::clone(&bench.transport);
    bench.device = Device::new(transport, bench.target.clone(), bench.cancel.clone());
    let carried = bench.does(&site("RESET")).await;
    assert_eq!(
        carried.result.unwrap_err().to_string(),
        "connect: there are no SITE commands over sftp"
    );
    let carried = bench.does(&send("reload")).await;
    let said = carried.result.unwrap_err().to_string();
    assert!(
        said.contains("the procedure card has no `session`"),
        "{said}"
    );
    lab.stop().await;
    bench.lab.stop().await;
}
