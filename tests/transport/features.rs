//! `FEAT` is optional, and asking for it must never cost an entity its image.

use subtend::model::Verified;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Reply, Script};

#[tokio::test]
async fn servers_that_answer_feat_oddly_get_their_image() {
    for reply in [
        "211 nothing special\r\n",
        "500 what?\r\n",
        "502 not here\r\n",
        "211-Features\r\n211 End\r\n",
        "211-Features\r\n211-SIZE\r\n211-MDTM\r\n211 End\r\n",
        "211-Features:\r\nSIZE\r\n\r\n REST STREAM\r\n211 End\r\n",
    ] {
        let server = device(Script::default().on("FEAT", Reply::raw(reply))).await;
        let bytes = image(1000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{reply}");
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().connections.len(), 1, "{reply}");
    }
}

/// It costs a session once, and is remembered.
#[tokio::test]
async fn servers_that_hang_on_feat_are_not_asked_again() {
    for reply in [
        Reply::Never,
        Reply::raw("211-Features\r\n SIZE\r\n"),
        Reply::raw("211\r\n"),
        Reply::Close,
        Reply::Reset,
        Reply::line("what?"),
    ] {
        let script = Script::behaving(one_session());
        let server = device(script.on("FEAT", reply.clone())).await;
        let transport = FtpTransport::new();
        let destination = destination_with(&server, impatient());
        for length in [1000, 1001] {
            let bytes = image(length);
            let result = send_with(&transport, &destination, &bytes).await;
            assert_eq!(result, Ok(Verified::Size), "{reply:?}");
            assert_delivered(&server, &bytes);
        }
        assert_eq!(server.log().count("FEAT"), 1, "{reply:?}");
    }
}
