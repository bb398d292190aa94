//! What an account can mount beside the catalogue's volumes, and what is known of replicas now.

use catalog_records::Actor;
use catalog_schemas::volume::{Replica, Space, Volume};

use super::Launcher;
use crate::http::problem::Failure;

impl Launcher {
    /// Lists the spaces of an account and of its teams, where any datazone has a place for them.
    ///
    /// # Errors
    ///
    /// Whatever the ledger says.
    pub async fn spaces(&self, actor: &Actor) -> Result<Vec<Volume>, Failure> {
        let zones = self.shared.zones.snapshots();
        let teams = self.shared.ledger.teams(&actor.account).await?;
        let spaces = std::iter::once(Space::Personal).chain(teams.iter().map(|team| Space::Team(team)));
        let volume = |space: Space<'_>| {
            // A team's name that cannot be a folder's has no space.
            Space::of_key(&space.key())?;
            let holds = zones.iter().filter(|zone| zone.volumes.contains_key(space.held_key()));
            let replicas: Vec<Replica> = holds
                .map(|zone| Replica {
                    datazone: zone.id.clone(),
                    byte_size: None,
                    content_version: None,
                    last_verified: None,
                    backend_source: None,
                })
                .collect();
            let (name, summary, kind) = match space {
                Space::Personal => (
                    "My space".to_owned(),
                    "Your own files at each datazone: they stay when a datalab ends.".to_owned(),
                    "personal",
                ),
                Space::Team(team) => {
                    (format!("Space of {team}"), format!("Files that everybody in {team} reads and writes."), "team")
                }
            };
            Some(Volume {
                key: space.key(),
                iri: String::new(),
                name,
                summary,
                default_mount_path: space.mount_path(),
                mode: "rw".to_owned(),
                kind: kind.to_owned(),
                replicas,
                mine: space == Space::Personal,
                my_mount_path: None,
            })
        };
        Ok(spaces.filter_map(volume).filter(|volume| !volume.replicas.is_empty()).collect())
    }

    /// Writes into volumes when each replica was last found where it should be.
    pub fn tell_verified(&self, volumes: &mut [Volume]) {
        for volume in volumes {
            for replica in &mut volume.replicas {
                let verified = self.shared.zones.verified(&replica.datazone, &volume.key);
                replica.last_verified = verified.map(|at| at.to_string()).or(replica.last_verified.take());
            }
        }
    }
}
