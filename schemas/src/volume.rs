//! Data volumes and a user's choice of them.

use serde::{Deserialize, Serialize};

/// A data volume of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its key: the record's short name, or the last part of its identifier.
    pub key: String,
    /// The record's IRI.
    pub iri: String,
    /// Its name.
    pub name: String,
    /// Its short description.
    #[serde(rename = "abstract", default)]
    pub summary: String,
    /// Where it is mounted unless asked otherwise.
    pub default_mount_path: String,
    /// `ro` or `rw`.
    pub mode: String,
    /// `science`, `internal`, `personal` or `team`.
    pub kind: String,
    /// Where it is held.
    pub replicas: Vec<Replica>,
    /// Whether the viewer added it to their volumes.
    #[serde(default)]
    pub mine: bool,
    /// The viewer's own mount path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_mount_path: Option<String>,
}

/// One copy of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// The datazone.
    pub datazone: String,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<u64>,
    /// The version of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_version: Option<String>,
    /// When it was last verified, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified: Option<String>,
    /// Host path, claim or bucket; only for those who may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_source: Option<String>,
}

/// All data volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Volumes {
    /// By name.
    pub volumes: Vec<Volume>,
}

/// Adds a volume to the viewer's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MyVolume {
    /// Where to mount it; the volume's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
}

/// The space that holds somebody's own files at a datazone: mounted by a key that no volume of the catalogue can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space<'a> {
    /// The viewer's own.
    Personal,
    /// A team's, by its name.
    Team(&'a str),
}

impl<'a> Space<'a> {
    /// The key of everybody's own space.
    pub const PERSONAL: &'static str = "space/personal";
    /// The key by which a datazone says that it has spaces for teams.
    pub const TEAMS: &'static str = "space/team";
    /// Where the own space is mounted.
    pub const PERSONAL_PATH: &'static str = "/workspace/personal";

    /// Reads a key; nothing when it names a volume of the catalogue.
    pub fn of_key(key: &'a str) -> Option<Self> {
        if key == Self::PERSONAL {
            return Some(Self::Personal);
        }
        // The name becomes a folder.
        let is_plain = |name: &&str| {
            (1..=64).contains(&name.len())
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:@".contains(&b))
        };
        key.strip_prefix(Self::TEAMS)?.strip_prefix('/').filter(is_plain).map(Self::Team)
    }

    /// Returns the key.
    pub fn key(self) -> String {
        match self {
            Self::Personal => Self::PERSONAL.to_owned(),
            Self::Team(team) => format!("{}/{team}", Self::TEAMS),
        }
    }

    /// Returns the key by which a datazone says that it has such spaces.
    pub fn held_key(self) -> &'static str {
        match self {
            Self::Personal => Self::PERSONAL,
            Self::Team(_) => Self::TEAMS,
        }
    }

    /// Returns where it is mounted unless asked otherwise.
    pub fn mount_path(self) -> String {
        match self {
            Self::Personal => Self::PERSONAL_PATH.to_owned(),
            // A colon would end the path in an engine's notation.
            Self::Team(team) => format!("/workspace/team/{}", team.replace(':', ".")),
        }
    }
}

/// Says why a mount path is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a mount path: {rule}")]
pub struct InvalidMountPath {
    /// What was given.
    pub given: String,
    /// The rule in words.
    pub rule: &'static str,
}

/// Checks a mount path: absolute, normalised, below `/data`, `/home`, `/media`, `/mnt`, `/opt`, `/srv`, `/team` or `/workspace`.
pub fn check_mount_path(path: &str) -> Result<(), InvalidMountPath> {
    const ROOTS: [&str; 8] = ["data", "home", "media", "mnt", "opt", "srv", "team", "workspace"];
    let fail = |rule| Err(InvalidMountPath { given: path.chars().take(120).collect(), rule });
    if path.len() > 255 {
        return fail("it is longer than 255 bytes");
    }
    let Some(rest) = path.strip_prefix('/') else { return fail("it must be absolute, such as /data/user/pla_legacy") };
    if rest.chars().any(|c| c.is_control() || c == '\\' || c == ':' || c == ',') {
        return fail("it must hold no control character, backslash, colon or comma");
    }
    if rest.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return fail("it must be normalised: no `.`, no `..`, no doubled or trailing slash");
    }
    let mut parts = rest.split('/');
    if !parts.next().is_some_and(|root| ROOTS.contains(&root)) || parts.next().is_none() {
        return fail("it must lie below /data, /home, /media, /mnt, /opt, /srv, /team or /workspace");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_mount_path;

    #[test]
    fn mount_paths_stay_below_the_roots() {
        for good in ["/data/user/pla_legacy", "/team/hdbscan", "/media/user"] {
            assert!(check_mount_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "data",
            "/",
            "/data",
            "/etc/x",
            "/proc/1",
            "/data/../etc",
            "/data//x",
            "/data/x/",
            "/data/./x",
            "/data/a:b",
            "/data/a\nb",
        ] {
            assert!(check_mount_path(bad).is_err(), "{bad}");
        }
    }
}
