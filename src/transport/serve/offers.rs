//! What is offered, and who may have it: one name per entity, for the addresses of that entity alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring::default_provider;
use tokio::sync::mpsc;

use crate::model::Name;

use super::Visit;

/// Visits that wait for an entity's agent to look at them; more are refused.
const VISITS: usize = 8;
/// Characters of a token: 60 bits, which nobody guesses while a group runs.
const TOKEN: usize = 12;
/// Small letters and digits, since some devices fold case; without 1, i, l and o, which look like others.
const LETTERS: &[u8; 32] = b"23456789abcdefghjkmnpqrstuvwxyz0";

/// What is offered at the moment.
#[derive(Debug, Clone, Default)]
pub struct Offers(Arc<Mutex<HashMap<String, Offer>>>);

#[derive(Debug)]
struct Offer {
    entity: Name,
    from: Vec<IpAddr>,
    file: String,
    visits: mpsc::Sender<Visit>,
}

/// Why a request gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("nothing is offered to that address")]
    Stranger,
    #[error("there is nothing of that name for it")]
    NoSuchName,
    /// The name is that of an entity, and the address is not.
    #[error("the name is that of {0}, and the address is not")]
    Elsewhere(Name),
}

/// One entity's file while it is offered; dropped, it is withdrawn.
#[derive(Debug)]
pub struct Offered {
    offers: Offers,
    token: String,
    file: String,
    visits: mpsc::Receiver<Visit>,
}

impl Offers {
    /// Offers a file to an entity, under its own name behind a token: `7hq2…/adsl-2.4.bin`.
    pub fn offer(&self, entity: &Name, from: Vec<IpAddr>, file: &str) -> Offered {
        let token = token();
        let file = plain_name(file);
        let (sender, visits) = mpsc::channel(VISITS);
        let offer = Offer {
            entity: entity.clone(),
            from,
            file: file.clone(),
            visits: sender,
        };
        self.lock().insert(token.clone(), offer);
        Offered {
            offers: self.clone(),
            token,
            file,
            visits,
        }
    }

    /// Whether anything is offered to that address.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.count(address) > 0
    }

    /// How many entities have that address.
    pub fn count(&self, address: IpAddr) -> usize {
        let address = address.to_canonical();
        let offers = self.lock();
        offers
            .values()
            .filter(|offer| offer.from.contains(&address))
            .count()
    }

    /// Who is asked for the file of this name: `TOKEN/FILE`, with or without a slash before it.
    ///
    /// # Errors
    /// Why nobody is. The entity learns of a request for its file that comes from elsewhere.
    pub fn find(&self, address: IpAddr, name: &str) -> Result<mpsc::Sender<Visit>, Denied> {
        let address = address.to_canonical();
        let offers = self.lock();
        let found = name
            .trim_start_matches('/')
            .split_once('/')
            .and_then(|(token, file)| Some((offers.get(token)?, file)));
        match found {
            Some((offer, file)) if offer.file == file => {
                if offer.from.contains(&address) {
                    return Ok(offer.visits.clone());
                }
                let _ = offer.visits.try_send(Visit::FromElsewhere(address));
                Err(Denied::Elsewhere(offer.entity.clone()))
            }
            _ if offers.values().any(|offer| offer.from.contains(&address)) => {
                Err(Denied::NoSuchName)
            }
            _ => Err(Denied::Stranger),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Offer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offered {
    /// What a device asks for: `TOKEN/FILE`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.token, self.file)
    }

    /// The next that comes. Can be dropped and called again.
    pub async fn visit(&mut self) -> Option<Visit> {
        self.visits.recv().await
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.offers.lock().remove(&self.token);
    }
}

/// A file's own name, as a url and the command line of any device can carry it.
fn plain_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
        _ => '_',
    };
    match name.trim_matches('.').is_empty() {
        true => "image".into(),
        false => name.chars().map(plain).collect(),
    }
}

fn token() -> String {
    let mut bytes = [0; TOKEN];
    // It has no source of chance only where the host is broken; then an address is all that protects the file.
    let _ = default_provider().secure_random.fill(&mut bytes);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    bytes.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: [u8; 4] = [192, 0, 2, 7];
    const OTHER: [u8; 4] = [192, 0, 2, 8];

    fn asked(offers: &Offers, address: [u8; 4], name: &str) -> Option<Denied> {
        offers.find(address.into(), name).err()
    }

    #[test]
    fn only_the_entity_gets_its_file_by_its_whole_name_while_it_is_offered() {
        let offers = Offers::default();
        let name: Name = "shelf1-01".into();
        let mut offered = offers.offer(&name, vec![DEVICE.into()], "adsl/adsl 2.4.bin");
        let asks = offered.name();
        assert!(asks.ends_with("/adsl_2.4.bin"), "{asks}");
        assert_eq!(asked(&offers, DEVICE, &asks), None);
        assert_eq!(asked(&offers, DEVICE, &format!("/{asks}")), None);
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert!(offers.find(mapped, &asks).is_ok());
        for wrong in [
            "",
            "/",
            "adsl_2.4.bin",
            &asks[1..],
            &format!("{asks}/x"),
            "../etc/passwd",
        ] {
            assert_eq!(
                asked(&offers, DEVICE, wrong),
                Some(Denied::NoSuchName),
                "{wrong}"
            );
            assert_eq!(
                asked(&offers, OTHER, wrong),
                Some(Denied::Stranger),
                "{wrong}"
            );
        }
        assert_eq!(asked(&offers, OTHER, &asks), Some(Denied::Elsewhere(name)));
        let visit = offered.visits.try_recv();
        assert!(matches!(visit, Ok(Visit::FromElsewhere(at)) if at == IpAddr::from(OTHER)));
        drop(offered);
        assert_eq!(asked(&offers, DEVICE, &asks), Some(Denied::Stranger));
    }

    #[test]
    fn tokens_differ_and_names_are_plain() {
        let offers = Offers::default();
        let name: Name = "e".into();
        let all: Vec<Offered> = (0..100)
            .map(|_| offers.offer(&name, Vec::new(), ""))
            .collect();
        let names: std::collections::HashSet<String> = all.iter().map(Offered::name).collect();
        assert_eq!(names.len(), 100);
        for (file, plain) in [
            ("a/b/c.bin", "c.bin"),
            ("a b?.bin", "a_b_.bin"),
            ("a/..", "image"),
            ("", "image"),
            ("größe.bin", "gr__e.bin"),
        ] {
            assert_eq!(plain_name(file), plain);
        }
    }
}
