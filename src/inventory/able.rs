//! What the protocol of an entity's address has no way to do, beside what is to be done there.

use crate::model::{Address, Entity, Scheme, Staging, VerifyMode};

use super::error::Problems;
use super::fields::Fields;
use super::http;
use super::tree::Node;

/// Reports what can't be done at one of the addresses of an entry, `at`.
pub(super) fn check(
    problems: &mut Problems,
    at: &Node,
    fields: &Fields<'_>,
    entity: &Entity,
    addresses: &[Address],
) {
    let address_node = fields.get("address");
    let fixed = |address: &&Address| !address.scheme.renames();
    if entity.staging == Staging::Rename
        && let Some(address) = addresses.iter().find(fixed)
    {
        let at = fields.get("staging").or(address_node).unwrap_or(at);
        problems.report(
            &at.span,
            format!("{} has no way to rename a file", address.scheme.in_words()),
            "add `staging: direct`: the old image is written over then, so the device has to have another \
             one to start from, or to keep the old one until it has the whole of the new one",
        );
    }
    let asks = matches!(entity.verify, VerifyMode::Readback | VerifyMode::Size);
    let silent = |address: &&Address| asks && !address.scheme.evidence().can_be_asked();
    if let Some(address) = addresses.iter().find(silent) {
        let at = fields.get("verify").or(address_node).unwrap_or(at);
        problems.report(
            &at.span,
            format!(
                "`verify: {}` can't be done {}",
                entity.verify.word(),
                match address.scheme {
                    Scheme::Fetch => "where the device fetches its image".to_owned(),
                    scheme => format!(
                        "over {}, which has no way to ask about a file",
                        scheme.in_words()
                    ),
                }
            ),
            match address.scheme {
                Scheme::Fetch => "leave `verify` out: steps behind the one with `fetch` prove it (`proves: digest`)",
                _ => "write `verify: best` or `verify: none`: a delivery is then shown as unproven",
            },
        );
    }
    for address in addresses {
        http::check_entity(
            problems,
            address_node.unwrap_or(at),
            fields,
            entity,
            address,
        );
    }
}
