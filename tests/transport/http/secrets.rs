//! Logins go where they belong, and come back from nowhere.

use secrecy::SecretString;
use subtend::model::Login;

use super::turns::{Turn, Turns};
use super::*;

#[tokio::test]
async fn a_token_is_sent_as_one_and_never_shown() {
    let echo = "you said Authorization: Bearer secret-token-7, which is wrong";
    let refuse = Turn::file("401 Unauthorized", "", echo.as_bytes());
    let server = Turns::start(vec![refuse]).await;
    let login = Login {
        token: Some(SecretString::from("secret-token-7")),
        ..Login::with_password("", "")
    };
    let remote = with_login(remote_of(&server, patient()), login);
    let failure = read(&remote, 0).await.unwrap_err();
    let header = server.asked()[0].header("authorization").map(str::to_owned);
    assert_eq!(header.as_deref(), Some("Bearer secret-token-7"));
    let shown = format!("{failure} {failure:?} {remote:?}");
    assert!(shown.contains("you said"), "{shown}");
    assert!(!shown.contains("secret-token"), "{shown}");
}

#[tokio::test]
async fn a_password_that_is_repeated_is_starred_out() {
    for echo in ["wrong: secret77", "Basic Y3JhZnQ6c2VjcmV0Nzc= is wrong"] {
        let refuse = Turn::file("401 Unauthorized", "", echo.as_bytes());
        let server = Turns::start(vec![refuse]).await;
        let login = Login::with_password("craft", "secret77");
        let remote = with_login(remote_of(&server, patient()), login);
        let failure = read(&remote, 0).await.unwrap_err().to_string();
        assert!(failure.contains("wrong"), "{failure}");
        assert!(
            !failure.contains("secret77") && !failure.contains("c2VjcmV0Nzc"),
            "{failure}"
        );
    }
}
