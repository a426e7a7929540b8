//! The rows of a run and of its groups, as they begin and end.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use sha2::Digest as _;
use sha2::Sha256;

use crate::journal::alive::Alive;
use crate::journal::origin::Origin;
use crate::journal::site;
use crate::model::{EntityState, GroupSpec, ImageSpec, MadeGroup};
use crate::protocol::Summary;

use super::{Rows, micros, signed};

/// An inventory as a run names it, from whichever folder it was read.
pub(in crate::journal) fn file_in_full(file: &Path) -> String {
    let full = std::path::absolute(file);
    full.as_deref().unwrap_or(file).display().to_string()
}

impl Rows {
    pub(super) fn begin(
        &mut self,
        to: &Connection,
        at: Timestamp,
        run: &str,
        memory: u64,
    ) -> rusqlite::Result<()> {
        if self.run != run {
            // What this engine had to do before was another run, which has ended.
            run.clone_into(&mut self.run);
            self.groups.clear();
            self.places = 0;
        }
        if !self.alive.iter().any(|(of, _)| of == run) {
            match Alive::new(&self.state_dir, run) {
                Ok(alive) => self.alive.push((run.to_owned(), alive)),
                // The run would be taken for one that was cut off: better not to record it yet.
                Err(error) => {
                    return Err(rusqlite::Error::SqliteFailure(
                        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR),
                        Some(format!("the lock of the run can't be had: {error}")),
                    ));
                }
            }
        }
        let content = site::content(&self.inventory);
        let digest = hex::encode(Sha256::digest(&content));
        to.execute(
            "INSERT OR IGNORE INTO inventories (digest, content) VALUES (?1, ?2)",
            params![digest, content],
        )?;
        let origin = Origin::of_process();
        let file = &self.inventory.file;
        let file = match self.practice {
            // It may be the one that every binary carries.
            true => file.display().to_string(),
            false => file_in_full(file),
        };
        // A group that joins reports the run again.
        to.execute(
            "INSERT OR IGNORE INTO runs (run, started, who, host, ssh_client, pid, subtend,
                 inventory_file, inventory, practice, memory, seq, resident)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                self.run,
                micros(at),
                origin.user,
                origin.host,
                origin.ssh_client,
                std::process::id(),
                env!("CARGO_PKG_VERSION"),
                file,
                digest,
                self.practice,
                signed(memory),
                self.seq,
                self.resident,
            ],
        )?;
        Ok(())
    }

    pub(super) fn group(
        &mut self,
        to: &Connection,
        at: Timestamp,
        spec: &GroupSpec,
        force: bool,
    ) -> rusqlite::Result<()> {
        let GroupSpec::Made(MadeGroup {
            name,
            image,
            source,
            entities,
            ..
        }) = spec
        else {
            return Ok(());
        };
        let described = image.name();
        let (file, type_, version, size) = match image {
            ImageSpec::Described {
                file,
                type_,
                version,
                size,
                ..
            } => (file.as_str(), type_.as_str(), version.as_str(), *size),
            ImageSpec::Named(_) => ("", "", "", None),
        };
        let source = source.label();
        let text = serde_json::to_string(spec).unwrap_or_default();
        self.places += 1;
        let place = self.places;
        to.execute(
            "INSERT INTO groups (run, place, name, started, image, version, type, file, size,
                 source, spec, force, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                self.run,
                place,
                name,
                micros(at),
                described,
                version,
                type_,
                file,
                size.map(signed),
                source,
                text,
                force,
                self.seq
            ],
        )?;
        self.groups.insert(name.as_str().into(), place);
        let mut insert = to.prepare_cached(
            "INSERT INTO entities (run, place, name, number, type, address, path, state, attempt,
                 changed, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', 0, ?8, ?9)",
        )?;
        for (number, name) in (0_i64..).zip(entities) {
            let Some(entity) = self.inventory.entity(name) else {
                continue;
            };
            insert.execute(params![
                self.run,
                place,
                name,
                number,
                entity.type_,
                entity.address.to_string(),
                entity.path.as_str(),
                micros(at),
                self.seq
            ])?;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, to: &Connection, summary: &Summary) -> rusqlite::Result<()> {
        // Of a run that is parked, what is cancelled is taken up again.
        let mut entities = summary.groups.iter().flat_map(|group| &group.entities);
        let is_cut = entities.any(|one| one.state == EntityState::Cancelled);
        to.execute(
            "UPDATE runs SET ended = ?2, outcome = CASE
                     WHEN parked IS NOT NULL AND (?3 = 'cancelled' OR ?7) THEN 'waiting' ELSE ?3 END,
                 peak_pool_bytes = ?4, source_bytes = ?5, delivered_bytes = ?6
             WHERE run = ?1 AND ended IS NULL",
            params![
                self.run,
                micros(summary.at),
                summary.outcome.to_string(),
                signed(summary.peak_pool_bytes),
                signed(summary.source_bytes),
                signed(summary.delivered_bytes),
                is_cut
            ],
        )?;
        self.over.push(self.run.clone());
        // The source of a group that never reported its size, by reading it to the end.
        for group in &summary.groups {
            to.execute(
                "UPDATE groups SET size = ifnull(size, ?3) WHERE run = ?1 AND place = ?2",
                params![self.run, self.place(&group.group), group.size.map(signed)],
            )?;
        }
        Ok(())
    }
}
