//! Steps that make a device fetch: they last for as long as it takes.

use std::net::SocketAddr;

use subtend::model::procedure::{Method, Request, Role, WebSpec};
use subtend::model::{Scheme, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A device whose command line and whose web server are both there.
async fn at(address: SocketAddr) -> Bench {
    let mut bench = Bench::banks("", Over::Telnet).await;
    let entity = Arc::make_mut(&mut bench.target.entity);
    entity.session = Some(SessionAddress {
        host: address.ip().to_string(),
        port: Some(address.port()),
    });
    let procedure = Arc::make_mut(&mut bench.target.procedure);
    procedure.web = Some(WebSpec {
        scheme: Scheme::Http,
        port: address.port(),
        credentials: Some("craft".into()),
        tls: Tls::default(),
    });
    let transport = Arc::clone(&bench.transport);
    bench.device = Device::new(transport, bench.target.clone(), bench.cancel.clone());
    bench
}

fn fetches(deed: StepSpec) -> StepSpec {
    let role = Role::Fetches(None);
    StepSpec { role, ..deed }
}

/// What comes on a connection, to the end of a line.
async fn line(stream: &mut TcpStream) {
    while stream.read_u8().await.unwrap() != b'\r' {}
}

/// All of them fetch at one time, however few may log in at one.
#[tokio::test(flavor = "multi_thread")]
async fn others_may_have_sessions_while_a_device_fetches() {
    let by_request = step(Deed::Http(Box::new(Request {
        method: Method::Post,
        path: template("/fetch"),
        body: None,
    })));
    for deed in [send("copy it"), by_request] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut bench = at(address).await;
        let (sessions, cancel) = (Arc::clone(&bench.target.sessions), bench.cancel.clone());
        let is_line = matches!(deed.deed, Deed::Send { .. });
        let fetches = fetches(deed);
        let (carried, stream) = tokio::join!(bench.does(&fetches), async {
            let (mut stream, _) = within(LONG, listener.accept()).await.unwrap();
            if is_line {
                stream.write_all(b"e001> ").await.unwrap();
            }
            line(&mut stream).await;
            assert_eq!(sessions.available_permits(), 1, "{is_line}");
            cancel.cancel();
            stream
        });
        drop(stream);
        assert_eq!(*fault(&carried), Fault::Cancelled);
        bench.lab.stop().await;
    }
}
