//! A source, and entities with a fault each; what must become of them, and what did.

use std::sync::Arc;
use std::time::Duration;

use subtend::model::{Address, Entity, EntityState, FileServer, Inventory, Scheme, SourceChoice};
use subtend::model::{Step, Timeouts};
use subtend::protocol::{EntitySummary, Summary};

use crate::faults::fault::{AHEAD, Fault, FaultyServer, OLD};
use crate::support::run::{Run, entity};
use crate::support::scripted::{Script, ScriptedServer};
use crate::support::{GROUP, PATH, network};

/// Longer than a run takes in which nobody waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PATIENT: Timeouts = Timeouts {
    connect: PATIENCE,
    reply: PATIENCE,
    progress: PATIENCE,
    confirm: PATIENCE,
    min_rate: 0,
};
/// The deadline of a fault that is a silence.
pub const SILENCE: Duration = Duration::from_millis(1500);

/// One entity: its server, and what the inventory says of it.
pub struct Device {
    pub name: String,
    pub fault: Fault,
    pub delete_first: bool,
    pub server: FaultyServer,
}

/// What must become of an entity.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Where it may fail; empty: it is delivered. Near the end of the image the sender is through
    /// before it can learn of the fault.
    pub steps: &'static [Step],
    /// In its cause, and in that of no other class.
    pub words: &'static str,
}

/// The table: fault to step and cause. TLS that is refused, a certificate that is not trusted and
/// session reuse that is required have their own tests, in `tests/transport/tls.rs`.
pub fn expected(fault: Fault, delete_first: bool) -> Expected {
    use Step::{Confirm, Connect, Login, Open, Prepare, Rename, Send, Verify};
    let fails = |steps, words| Expected { steps, words };
    match fault {
        // Who does not rename onto the old image has it moved aside.
        Fault::None | Fault::ConfirmAfter | Fault::NoOverwrite => fails(&[], ""),
        Fault::Pinned if delete_first => fails(&[], ""),
        Fault::Refused => fails(&[Connect], "refused the connection"),
        Fault::Unreachable => fails(&[Connect], "can't be reached"),
        Fault::ConnectTimeout => fails(&[Connect], "no connection to"),
        Fault::Busy => fails(&[Connect], "421 too many sessions"),
        Fault::RefuseLogin => fails(&[Login], "530 not you"),
        Fault::NoDataConnection => fails(&[Open], "425 can't open it"),
        Fault::ReadOnly => fails(&[Open], "553 not here"),
        Fault::Pinned => fails(&[Rename], "553 file exists"),
        Fault::NoRename => fails(&[Prepare], "can't rename files"),
        Fault::DropAt(_) => fails(&[Send, Confirm], "426 it broke"),
        Fault::LocalError(_) => fails(&[Send, Confirm], "451 flash controller failed"),
        Fault::NoSpace(_) => fails(&[Send, Confirm], "452 no room"),
        Fault::DiskFullAt(_) => fails(&[Send, Confirm], "552 flash is full"),
        Fault::Reset(_) => fails(&[Send, Confirm], "the data connection was lost"),
        Fault::SilentAt(_) => fails(&[Send], "no progress for"),
        Fault::ConfirmAt(_) => fails(&[Send], "before its end was sent"),
        Fault::HangUpAt(_) => fails(&[Send, Confirm], "the control connection was lost"),
        Fault::NoConfirm => fails(&[Confirm], "not confirmed within"),
        Fault::DripConfirmation => fails(&[Confirm], "not confirmed within"),
        Fault::TruncateAt(_) => fails(&[Verify], "the entity holds"),
        Fault::CorruptAt(_) => fails(&[Verify], "SHA-256 is"),
    }
}

/// How many classes [`class`] knows.
pub const CLASSES: u64 = 24;

/// A class by its number, with its fault at a byte of an image of a size. A silence and a
/// confirmation that come when the sender is through can't be distinguished from another fault.
pub fn class(number: u64, at: u64, size: u64) -> (&'static str, Fault, bool) {
    let seen = at.min(size - AHEAD);
    let (name, fault) = match number {
        0 => ("refused", Fault::Refused),
        1 => ("unreachable", Fault::Unreachable),
        2 => ("connect timeout", Fault::ConnectTimeout),
        3 => ("421", Fault::Busy),
        4 => ("530", Fault::RefuseLogin),
        5 => ("425", Fault::NoDataConnection),
        6 => ("426", Fault::DropAt(at)),
        7 => ("451", Fault::LocalError(at)),
        8 => ("452", Fault::NoSpace(at)),
        9 => ("552", Fault::DiskFullAt(at)),
        10 => ("553", Fault::ReadOnly),
        11 => ("553 for a file that exists", Fault::NoOverwrite),
        12 => ("the same, and DELE allowed", Fault::NoOverwrite),
        13 => ("reset", Fault::Reset(at)),
        14 => ("stall", Fault::SilentAt(seen)),
        15 => ("no 226", Fault::NoConfirm),
        16 => ("late 226", Fault::ConfirmAfter),
        17 => ("early 226", Fault::ConfirmAt(seen)),
        18 => ("control connection lost", Fault::HangUpAt(at)),
        19 => ("short file", Fault::TruncateAt(at)),
        20 => ("wrong digest", Fault::CorruptAt(at)),
        21 => ("553, and not to be moved aside", Fault::Pinned),
        22 => ("not to be moved aside, and DELE allowed", Fault::Pinned),
        _ => ("no rename", Fault::NoRename),
    };
    (name, fault, matches!(number, 12 | 22))
}

fn timeouts(fault: Fault) -> Timeouts {
    match fault {
        Fault::ConnectTimeout => Timeouts {
            connect: SILENCE,
            ..PATIENT
        },
        Fault::SilentAt(_) => Timeouts {
            progress: SILENCE,
            ..PATIENT
        },
        // A reset that comes when the sender is through is waited upon like a confirmation.
        Fault::NoConfirm | Fault::DripConfirmation | Fault::Reset(_) => Timeouts {
            confirm: SILENCE,
            ..PATIENT
        },
        _ => PATIENT,
    }
}

/// Bytes of which no two parts are alike, and that ASCII mode would mangle.
pub fn image(size: u64) -> Arc<Vec<u8>> {
    let numbers = (0..size.div_ceil(8)).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bytes: Vec<u8> = numbers.flat_map(u64::to_be_bytes).collect();
    bytes.truncate(usize::try_from(size).unwrap());
    Arc::new(bytes)
}

pub async fn device(
    name: impl Into<String>,
    (fault, delete_first): (Fault, bool),
    image: &Arc<Vec<u8>>,
) -> Device {
    Device {
        name: name.into(),
        fault,
        delete_first,
        server: FaultyServer::start(fault, image).await,
    }
}

pub fn at(address: std::net::SocketAddr) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: address.ip().to_string(),
        port: address.port(),
    }
}

fn entity_of(device: &Device, like: &Entity) -> Arc<Entity> {
    let mut entity = like.clone();
    entity.name = device.name.as_str().into();
    entity.address = at(device.server.address);
    entity.timeouts = timeouts(device.fault);
    entity.delete_first = device.delete_first;
    Arc::new(entity)
}

/// The inventory of these devices and a source, in one group without retries.
pub fn inventory_of(source: std::net::SocketAddr, devices: &[Device]) -> Inventory {
    let (mut inventory, _) = network(1, 1);
    let hq = Arc::new(FileServer {
        address: at(source),
        ..(*inventory.file_servers[0]).clone()
    });
    let like = Arc::clone(&inventory.entities[0]);
    let mut group = (*inventory.groups[0]).clone();
    group.source = SourceChoice::FileServer(Arc::clone(&hq));
    group.entities = (devices.iter())
        .map(|device| entity_of(device, &like))
        .collect();
    inventory.file_servers = vec![hq];
    inventory.entities.clone_from(&group.entities);
    inventory.groups = vec![Arc::new(group)];
    inventory
}

/// One run to its end, from a good source.
pub async fn run(image: &Arc<Vec<u8>>, devices: &[Device]) -> Summary {
    let source = ScriptedServer::start(Script::default()).await;
    source.put("/images/adsl-2.bin", image.as_slice());
    let inventory = inventory_of(source.address(), devices);
    let run = Run::start(&inventory, &[GROUP]).await;
    run.finish_within(PATIENCE).await.0
}

/// What a run said of a device is true, and nothing but a whole file has its final name.
pub fn assert_as_expected<'a>(
    device: &Device,
    summary: &'a Summary,
    image: &[u8],
) -> &'a EntitySummary {
    let said = entity(summary, &device.name);
    let fault = device.fault;
    let server = &device.server.server;
    let expected = expected(fault, device.delete_first);
    assert_eq!(said.left, None, "{fault:?}: {said:?}");
    assert_eq!(server.files(), [PATH], "{fault:?}: {said:?}");
    let file = server.file(PATH).unwrap();
    if expected.steps.is_empty() {
        assert_eq!(said.state, EntityState::Delivered, "{fault:?}: {said:?}");
        assert!(file == image, "{fault:?}: other bytes");
    } else {
        assert_eq!(said.state, EntityState::Failed, "{fault:?}: {said:?}");
        assert!(
            said.step.is_some_and(|step| expected.steps.contains(&step)),
            "{fault:?}: {said:?}"
        );
        let cause = said.cause.as_deref().unwrap_or_default();
        assert!(cause.contains(expected.words), "{fault:?}: {cause}");
        assert!(file == OLD, "{fault:?}: its final name was touched");
    }
    said
}
