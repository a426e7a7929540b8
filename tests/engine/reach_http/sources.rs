//! Each class of fault of a source, by what comes of it.

use std::sync::Arc;

use super::{MIB, impatient};
use crate::sources::with_sha256;
use crate::support::run::{Run, assert_delivered, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, SERVER, does, lab, network, over, with_group};
use subtend::model::{EntityState, FileServer, Inventory, Limits, Scheme, SourceChoice};

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_source_has_its_cause() {
    for (words, cause, is_delivered) in [
        ("{ no_size: true }", "", true),
        ("{ drop_at: 1 MiB, drop_times: 1 }", "", true),
        ("{ drop_at: 1 MiB, drop_times: 1, no_rest: true }", "", true),
        ("{ login: refuse }", "401 Unauthorized", false),
        ("{ busy_times: 99 }", "503 Service Unavailable", false),
        ("{ no_read: true }", "403 Forbidden", false),
        ("{ truncate_at: 1 MiB }", "ended after 1048576 bytes", false),
        ("{ silent_at: 1 MiB }", "no progress", false),
        ("{ corrupt_at: 1 MiB }", "SHA-256", false),
        (
            "{ replies: { RETR: '404 not here' } }",
            "404 Not Found: not here",
            false,
        ),
    ] {
        let (mut inventory, mut settings) = network(1, 2 * MIB);
        over(&mut inventory, |_| Scheme::Http, Scheme::Http);
        impatient_source(&mut inventory);
        if is_delivered {
            with_group(&mut inventory, |group| group.limits = Limits::default());
        }
        settings.file_servers.insert(SERVER.into(), does(words));
        let lab = lab(&inventory, &settings).await;
        let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
        let (summary, _) = run.finish().await;
        match is_delivered {
            true => assert_delivered(&lab, &summary, "e001", IMAGE),
            false => {
                let said = entity(&summary, "e001");
                let told = said.cause.as_deref().unwrap_or_default();
                assert!(
                    said.state == EntityState::Failed && told.contains(cause),
                    "{words}: {said:?}"
                );
                assert_untouched(&lab, "e001");
            }
        }
        lab.stop().await;
    }
}

fn impatient_source(inventory: &mut Inventory) {
    let mut server = FileServer::clone(&inventory.file_servers[0]);
    server.timeouts = impatient();
    let server = Arc::new(server);
    inventory.file_servers[0] = Arc::clone(&server);
    with_group(inventory, |group| {
        group.source = SourceChoice::FileServer(server)
    });
}

/// The image is replaced while it is read: what is there now is not what was begun (RFC 9110 section 13.1.5).
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_replaced_while_it_is_read_is_noticed() {
    for (is_known, words) in [
        (true, "its server called it \""),
        (false, "the source's file changed while it was read"),
    ] {
        let (mut inventory, mut settings) = network(1, 2 * MIB);
        over(&mut inventory, |_| Scheme::Http, Scheme::Http);
        with_group(&mut inventory, |group| group.limits.retries = 1);
        let breaks = does("{ drop_at: 1 MiB, drop_times: 1, rate: 8 MiB/s }");
        settings.file_servers.insert(SERVER.into(), breaks);
        let lab = lab(&inventory, &settings).await;
        let inventory = match is_known {
            true => with_sha256(&lab),
            false => lab.inventory().clone(),
        };
        let run = Run::start(&inventory, &[GROUP]).await;
        lab.until_served(SERVER, MIB / 4).await;
        assert!(lab.replace_image(SERVER, IMAGE));
        let (summary, _) = run.finish().await;
        let said = entity(&summary, "e001");
        let told = said.cause.as_deref().unwrap_or_default();
        assert!(
            said.state == EntityState::Failed && told.contains(words),
            "{said:?}"
        );
        assert_untouched(&lab, "e001");
        lab.stop().await;
    }
}
