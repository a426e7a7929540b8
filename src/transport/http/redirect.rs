//! Redirects (RFC 9110 section 15.4), to where the operator allows it: the same host, and the HTTP servers
//! that the inventory lists. Never from TLS to clear text; and the login stays with the host that it is for.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::model::text::shown;
use crate::model::{Address, Failure, Fault, Login, Scheme, Step, Tls};
use crate::transport::{Endpoint, Remote};

use super::HttpTransport;
use super::answer::text_of;
use super::client::Client;
use super::exchange::Response;

/// More are a circle.
const MOST: usize = 5;

/// Asks for a file, and goes where the answers lead: the last answer, and the host that gave it.
pub(super) async fn ask(
    transport: &HttpTransport,
    remote: &Remote,
    method: &Method,
    headers: &HeaderMap,
    step: Step,
) -> Result<(Response, Client), Failure> {
    let at_connect = |fault| Failure::new(Step::Connect, fault);
    let authorities = &transport.authorities;
    let mut client = Client::new(authorities, &remote.endpoint)
        .await
        .map_err(at_connect)?;
    let mut url = (client.url(&remote.path)).map_err(|fault| Failure::new(step, fault))?;
    for _ in 0..=MOST {
        let request = client.request(method.clone(), url.clone());
        let response = client
            .answer(step, request.headers(headers.clone()))
            .await?;
        if !is_redirect(response.status()) {
            return Ok((response, client));
        }
        let (next, endpoint) = target(&client.endpoint, &remote.endpoint, &url, &response)
            .map_err(|fault| Failure::new(step, fault))?;
        drop(response);
        if endpoint.address != client.endpoint.address {
            client = Client::new(authorities, &endpoint)
                .await
                .map_err(at_connect)?;
        }
        url = next;
    }
    let said = format!("to look elsewhere, more than {MOST} times one after another");
    Err(Failure::new(step, answered(said)))
}

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn answered(said: String) -> Fault {
    let may_pass = false;
    Fault::Answer { said, may_pass }
}

/// Where an answer leads. `from`: the host that gave it; `first`: the one that was asked at first, as the inventory has it.
fn target(
    from: &Endpoint,
    first: &Endpoint,
    url: &Url,
    response: &Response,
) -> Result<(Url, Endpoint), Fault> {
    let status = response.status();
    let location = text_of(response.headers(), LOCATION);
    let next = location.and_then(|location| url.join(location).ok());
    let Some(next) = next else {
        return Err(answered(format!("{status}, and not where to look")));
    };
    let endpoint = allowed(from, first, &next)
        .map_err(|(to, why)| answered(format!("{status}, to {}: {why}", shown(&to))))?;
    Ok((next, endpoint))
}

/// # Errors
/// Where it leads, without what may be a secret in it, and why nobody goes there.
fn allowed(from: &Endpoint, first: &Endpoint, next: &Url) -> Result<Endpoint, (String, String)> {
    let address = address(next).ok_or_else(|| {
        let why = "that is no address of HTTP".into();
        (next.scheme().to_owned(), why)
    })?;
    let to = format!("{}://{address}", address.scheme.word());
    let refuse = |why: &str| Err((to.clone(), why.to_owned()));
    if !next.username().is_empty() || next.password().is_some() {
        return refuse("there is a user in it, and logins come from the inventory alone");
    }
    if from.address.scheme == Scheme::Https && address.scheme == Scheme::Http {
        return refuse("that would leave TLS");
    }
    if address == from.address {
        return Ok(from.clone());
    }
    let listed = first.http.redirects.iter();
    let mut listed = listed.filter(|one| is_same_host(&one.address, &address));
    let is_home = is_same_host(&address, &first.address);
    let tls = match (listed.clone().find(|one| one.address == address), is_home) {
        (Some(exact), _) => exact.tls.clone(),
        (None, true) => first.tls.clone(),
        (None, false) => match listed.next() {
            Some(one) => one.tls.clone(),
            None => {
                return refuse(
                    "no file server of the inventory has this host; list it under `file_servers`, if the \
                     image may come from there",
                );
            }
        },
    };
    Ok(Endpoint {
        login: login_for(first, &address),
        tls: match address.scheme {
            Scheme::Https => tls,
            _ => Tls::default(),
        },
        address,
        ..first.clone()
    })
}

/// Another port is another server, unless it is the same host's TLS.
fn login_for(first: &Endpoint, address: &Address) -> Arc<Login> {
    let is_upgrade = first.address.scheme == Scheme::Http && address.scheme == Scheme::Https;
    let is_for =
        is_same_host(&first.address, address) && (is_upgrade || first.address.port == address.port);
    match is_for {
        true => Arc::clone(&first.login),
        false => Arc::new(Login::anonymous()),
    }
}

fn is_same_host(one: &Address, other: &Address) -> bool {
    let plain = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
    plain(&one.host) == plain(&other.host)
}

fn address(url: &Url) -> Option<Address> {
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let host = url.host_str()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Address {
        scheme,
        host: host.to_owned(),
        port: url.port_or_known_default()?,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::model::{Dialect, Elsewhere, Http, Ssh, Timeouts};

    fn endpoint(url: &str, listed: &[&str]) -> Endpoint {
        let at = |url: &&str| address(&Url::parse(url).unwrap()).unwrap();
        let redirects = listed.iter().map(|url| Elsewhere {
            address: at(url),
            tls: Tls::default(),
        });
        Endpoint {
            address: at(&url),
            login: Arc::new(Login::with_password("craft", "secret7")),
            timeouts: Timeouts::default(),
            tls: Tls::default(),
            ssh: Ssh::default(),
            dialect: Dialect::default(),
            http: Http {
                redirects: redirects.collect(),
                ..Http::default()
            },
        }
    }

    /// Whether it is followed, and with the login.
    fn led(from: &str, listed: &[&str], to: &str) -> Result<bool, String> {
        let from = endpoint(from, listed);
        let next = Url::parse(to).unwrap();
        match allowed(&from, &from, &next) {
            Ok(next) => Ok(next.login.password.expose_secret() == "secret7"),
            Err((to, why)) => Err(format!("{to}: {why}")),
        }
    }

    #[test]
    fn a_redirect_leads_to_hosts_of_the_inventory_and_the_login_stays_at_home() {
        assert_eq!(led("http://a/x", &[], "http://a/y"), Ok(true));
        assert_eq!(led("http://a/x", &[], "https://A/y"), Ok(true));
        assert_eq!(led("https://a/x", &[], "https://a:8443/y"), Ok(false));
        assert_eq!(led("http://a/x", &["http://b/"], "http://b/y"), Ok(false));
        assert_eq!(
            led("http://a/x", &["http://b/"], "http://b:81/y"),
            Ok(false)
        );
        for (from, to, why) in [
            ("http://a/x", "http://b/y", "file_servers"),
            ("https://a/x", "http://a/y", "leave TLS"),
            ("http://a/x", "http://craft:secret7@a/y", "there is a user"),
            ("http://a/x", "ftp://a/y", "no address of HTTP"),
        ] {
            let refused = led(from, &[], to).unwrap_err();
            assert!(
                refused.contains(why) && !refused.contains("secret7"),
                "{refused}"
            );
        }
    }

    /// A host that a redirect has led to is not home.
    #[test]
    fn a_way_back_is_judged_by_who_was_asked_first() {
        let first = endpoint("https://a/x", &["https://b/"]);
        let there = allowed(&first, &first, &Url::parse("https://b/y").unwrap()).unwrap();
        let back = allowed(&there, &first, &Url::parse("https://a/z").unwrap()).unwrap();
        assert_eq!(back.login.user, "craft");
        assert!(allowed(&there, &first, &Url::parse("http://b/z").unwrap()).is_err());
        assert!(allowed(&there, &first, &Url::parse("https://c/z").unwrap()).is_err());
    }
}
