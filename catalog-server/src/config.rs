//! The configuration: `alidade.toml`, overridden by `ALIDADE_*`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use catalog_launch::ZoneConfig;
use catalog_schemas::harvest::SourceSettings;
use catalog_schemas::id::ZoneId;
use serde::Deserialize;

use crate::http::client_address::Network;
use crate::pipeline::Runner;
use crate::policy::Policy;

/// The configuration that is used when there is none: two demonstration datazones.
const EMBEDDED: &str = include_str!("../sample/alidade.toml");

/// Every key of the configuration with its meaning, for `alidade doctor`.
pub const EXPLAINED: &[(&str, &str)] = &[
    ("listen", "address to listen on (ALIDADE_LISTEN; 127.0.0.1:8080)"),
    ("baseUrl", "public base URL; identifiers are minted below it (ALIDADE_BASE_URL; http://LISTEN)"),
    ("labOrigin", "an origin of their own for labs, such as https://labs.example.org, on the same server (none)"),
    ("dataDir", "folder for everything that is kept (ALIDADE_DATA_DIR; ./data)"),
    ("sample", "whether an empty catalogue is filled with the sample (ALIDADE_SAMPLE=0|1; true)"),
    ("zone.id, zone.name", "this server's zone (ALIDADE_ZONE for the id; go-esa)"),
    (
        "trustedProxies",
        "addresses of reverse proxies whose X-Forwarded-For is believed, such as [\"10.0.0.0/8\"] (none)",
    ),
    ("sparql.workers", "queries answered at once, each in a process of its own (2)"),
    ("sparql.seconds, sparql.secondsSignedIn", "how long a query of anybody, of somebody signed in may take (10, 60)"),
    ("sparql.rows, sparql.mebibytes", "how large an answer may be (100000, 32)"),
    ("sparql.memoryMiB", "memory that a query may use (512)"),
    ("sparql.budgetSeconds", "seconds of evaluation that each client may use a minute (60)"),
    ("accounts.passwords", "whether local accounts sign in with a password (true)"),
    ("accounts.signUp", "who makes local accounts: \"closed\" (administrators invite) or \"open\" (anybody) (closed)"),
    ("oidc.NAME.issuer, .clientId", "an identity provider, and who we are there; several by several names"),
    (
        "oidc.NAME.clientSecret, .clientSecretFile",
        "our secret there, or the file that holds it; a public client has none",
    ),
    ("oidc.NAME.title", "what the sign-in page calls it (NAME)"),
    ("oidc.NAME.scopes[]", "what is asked for beside openid ([\"profile\"])"),
    (
        "oidc.NAME.groupsClaim, .authority",
        "the claim with groups or AARC entitlements (groups), and the only authority believed",
    ),
    (
        "oidc.NAME.administrators[], .moderators[]",
        "groups that give a role; with one of them set, the provider decides roles",
    ),
    ("oidc.NAME.userInfo", "whether claims are also read from the userinfo endpoint (false)"),
    ("oidc.NAME.admits", "whether somebody new gets an account (true)"),
    ("oidc.NAME.allowHttp", "whether it may be reached without TLS: tests and trusted networks only (false)"),
    ("policy.review", "`none`, or `required`: an upload is a draft that a moderator approves (none)"),
    (
        "policy.registries[], policy.digestRequired",
        "where images may come from, and whether by digest only (anywhere, false)",
    ),
    ("policy.licences[]", "SPDX identifiers of the licences that are taken (all)"),
    ("policy.signature", "`optional`, `keyed`: namespaces with a key sign, or `required`: everybody signs (optional)"),
    ("quota.sessions, quota.gpus", "launches and GPUs a user may have at once (2, 1)"),
    ("launches.lifetimeHours", "how long a lab lives unless it is renewed (12)"),
    ("launches.renewableDays", "how long it can live with renewals (7)"),
    ("launches.idleMinutes", "after how long without use a lab with an interface is stopped; 0 is never (360)"),
    (
        "peer[].zone, peer[].key",
        "zones whose users may launch here, with the public key that `alidade doctor` shows there",
    ),
    ("datazone[]", "where launches can go: id, name, backend, endpoint, cpu, memoryMiB, gpu[], volume[], …"),
    (
        "runner[].kind, .image",
        "images that run pipelines, such as cwltool; the first of a kind that a pipeline names (none)",
    ),
    (
        "runner[].command[], .args[], .env",
        "how one is called, with {workflow}, {inputs}, {outputs} and {work} for the paths",
    ),
    (
        "source[]",
        "what is harvested: id, kind, url, schedule, precedence, allowPrivateAddresses, … (docs/federation.md)",
    ),
    ("ALIDADE_CONFIG", "the configuration file (./alidade.toml when it exists, else the embedded one)"),
    ("ALIDADE_ADMIN_TOKEN", "token of the first administrator; made and printed once when absent"),
    ("ALIDADE_DATABASE_URL", "only SQLite in the data folder in this release: leave it unset"),
    (
        "ALIDADE_MAPPINGS",
        "a folder of mappings of your own, one a folder in it (docs/harvesting.md); only those shipped when absent",
    ),
    ("ALIDADE_LOG", "what is logged, such as info or catalog_server=debug"),
];

/// Why the configuration cannot be used; the process exits with 78 (EX_CONFIG).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("`{}` is not a configuration: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which key, where, and what was expected.
        message: String,
    },
    /// A variable of the environment has a value that its key does not take.
    #[error("{name} is `{given}`, but {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value; secrets are not shown.
        given: String,
        /// What it takes.
        expected: String,
    },
}

/// Everything that an operator can choose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The public base URL, without a trailing slash; identifiers are minted below it. From `listen` when absent.
    pub base_url: Option<String>,
    /// An origin of their own for labs, such as `https://labs.example.org`; they are below the base URL when absent.
    pub lab_origin: Option<String>,
    /// The folder for everything that is kept.
    pub data_dir: PathBuf,
    /// Whether an empty catalogue is filled with the sample.
    pub sample: bool,
    /// A token for the first administrator; made and printed once when absent.
    #[serde(skip)]
    pub admin_token: Option<String>,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// This server's zone.
    pub zone: Zone,
    /// Local accounts.
    pub accounts: Accounts,
    /// Identity providers by name.
    pub oidc: BTreeMap<ProviderName, OidcConfig>,
    /// What users may use.
    pub quota: Quota,
    /// What queries may use.
    pub sparql: Sparql,
    /// Other zones whose users may plan and launch here.
    pub peer: Vec<Peer>,
    /// How long labs live.
    pub launches: Lifetimes,
    /// What packages have to be.
    pub policy: Policy,
    /// What runs pipelines.
    pub runner: Vec<Runner>,
    /// Where launches can go.
    pub datazone: Vec<ZoneConfig>,
    /// What is harvested.
    pub source: Vec<SourceSettings>,
}

/// Another zone whose server may ask here in its users' names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Peer {
    /// The zone.
    pub zone: ZoneId,
    /// Its public key, as its `alidade doctor` shows it.
    pub key: String,
}

/// How long labs live.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Lifetimes {
    /// Hours until a lab is stopped, from its request or its last renewal.
    pub lifetime_hours: u32,
    /// Days after its request beyond which it cannot be renewed.
    pub renewable_days: u32,
    /// Minutes without use after which a lab with an interface is stopped; 0 is never.
    pub idle_minutes: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { lifetime_hours: 12, renewable_days: 7, idle_minutes: 360 }
    }
}

/// This server's zone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Zone {
    /// Its id, a part of every identifier.
    pub id: ZoneId,
    /// Its name.
    pub name: String,
}

/// Local accounts.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Accounts {
    /// Whether they sign in with a password.
    pub passwords: bool,
    /// Who makes them.
    pub sign_up: SignUp,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { passwords: true, sign_up: SignUp::Closed }
    }
}

/// Who makes local accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Administrators, who invite.
    Closed,
    /// Anybody, for themselves.
    Open,
}

/// The name of an identity provider in the configuration: a part of paths and of the names of its teams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderName(String);

impl ProviderName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProviderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let valid =
            (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if valid {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is no name of a provider: 1 to 20 lower-case letters and digits"))
        }
    }
}

/// A secret of the configuration, which no log shows.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

/// An identity provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OidcConfig {
    /// Its issuer, exactly as it writes itself.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Our secret there; a public client has none.
    pub client_secret: Option<Secret>,
    /// The file that holds our secret.
    pub client_secret_file: Option<PathBuf>,
    /// What the sign-in page calls it.
    pub title: Option<String>,
    /// What is asked for beside `openid`.
    #[serde(default = "profile")]
    pub scopes: Vec<String>,
    /// The claim with groups, or with entitlements after AARC-G069.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// The only authority whose entitlements count.
    pub authority: Option<String>,
    /// Groups that make an administrator.
    #[serde(default)]
    pub administrators: Vec<String>,
    /// Groups that make a moderator.
    #[serde(default)]
    pub moderators: Vec<String>,
    /// Whether claims are read from the userinfo endpoint too.
    #[serde(default)]
    pub user_info: bool,
    /// Whether somebody new gets an account.
    #[serde(default = "yes")]
    pub admits: bool,
    /// Whether it may be reached without TLS.
    #[serde(default)]
    pub allow_http: bool,
}

fn profile() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn groups() -> String {
    "groups".to_owned()
}

fn yes() -> bool {
    true
}

/// What one user may use at once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Quota {
    /// Launches that are not over.
    pub sessions: u32,
    /// GPUs over all launches.
    pub gpus: u32,
}

/// What SPARQL queries may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Sparql {
    /// Queries answered at once, each in a process of its own.
    pub workers: usize,
    /// Seconds that a query may take.
    pub seconds: u64,
    /// Seconds that a query of somebody signed in may take.
    pub seconds_signed_in: u64,
    /// Rows or statements of an answer.
    pub rows: usize,
    /// Size of an answer.
    pub mebibytes: usize,
    /// Memory that a query may use beside the store's files.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: u64,
    /// Seconds of evaluation that each client may use a minute.
    pub budget_seconds: u32,
}

impl Default for Sparql {
    fn default() -> Self {
        Self {
            workers: 2,
            seconds: 10,
            seconds_signed_in: 60,
            rows: 100_000,
            mebibytes: 32,
            memory_mib: 512,
            budget_seconds: 60,
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        // Two sessions is ESA Datalabs' own figure.
        Self { sessions: 2, gpus: 1 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            base_url: None,
            lab_origin: None,
            data_dir: PathBuf::from("data"),
            sample: true,
            admin_token: None,
            trusted_proxies: Vec::new(),
            zone: Zone { id: "go-esa".parse().expect("`go-esa` is a zone id"), name: "GO.ESA".to_owned() },
            accounts: Accounts::default(),
            oidc: BTreeMap::new(),
            quota: Quota::default(),
            sparql: Sparql::default(),
            peer: Vec::new(),
            runner: Vec::new(),
            launches: Lifetimes::default(),
            policy: Policy::default(),
            datazone: Vec::new(),
            source: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file that was named, else `ALIDADE_CONFIG`, else `./alidade.toml`, else the embedded one; then
    /// lets the variables of the environment override it.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let named = file.map(Path::to_owned).or_else(|| variable("ALIDADE_CONFIG").map(PathBuf::from));
        let default = Path::new("alidade.toml");
        let path = named.or_else(|| default.exists().then(|| default.to_owned()));
        let mut config = match path {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
                Self::parse(&path, &text)?
            }
            None => Self::parse(Path::new("(embedded)"), EMBEDDED)?,
        };
        config.override_with(variable)?;
        config.check()?;
        Ok(config)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Invalid { path: path.to_owned(), message: error.to_string() })
    }

    fn override_with(&mut self, variable: impl Fn(&'static str) -> Option<String>) -> Result<(), ConfigError> {
        fn parsed<T: std::str::FromStr>(name: &'static str, given: String, expected: &str) -> Result<T, ConfigError> {
            given.parse().map_err(|_| ConfigError::Variable { name, expected: expected.to_owned(), given })
        }
        if let Some(given) = variable("ALIDADE_LISTEN") {
            self.listen = parsed("ALIDADE_LISTEN", given, "it takes an address such as 127.0.0.1:8080")?;
        }
        if let Some(given) = variable("ALIDADE_BASE_URL") {
            self.base_url = Some(given);
        }
        if let Some(given) = variable("ALIDADE_DATA_DIR") {
            self.data_dir = PathBuf::from(given);
        }
        if let Some(given) = variable("ALIDADE_ZONE") {
            self.zone.id = parsed("ALIDADE_ZONE", given, "it takes lower-case letters, digits and `-`")?;
        }
        if let Some(given) = variable("ALIDADE_SAMPLE") {
            self.sample = match given.as_str() {
                "0" => false,
                "1" => true,
                _ => {
                    return Err(ConfigError::Variable {
                        name: "ALIDADE_SAMPLE",
                        given,
                        expected: "it takes 0 or 1".into(),
                    });
                }
            };
        }
        if let Some(given) = variable("ALIDADE_DATABASE_URL")
            && !given.starts_with("sqlite:")
        {
            let expected = "this release keeps its ledger in SQLite, in the data folder: leave it unset".to_owned();
            return Err(ConfigError::Variable { name: "ALIDADE_DATABASE_URL", given: scheme_of(&given), expected });
        }
        self.admin_token = variable("ALIDADE_ADMIN_TOKEN");
        Ok(())
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        if let Some(base) = &mut self.base_url {
            let trimmed = base.trim_end_matches('/').to_owned();
            let valid = url::Url::parse(&trimmed).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            if !valid {
                let expected =
                    "it takes an http(s) URL without query, such as https://catalogue.example.org".to_owned();
                return Err(ConfigError::Variable { name: "ALIDADE_BASE_URL", given: base.clone(), expected });
            }
            *base = trimmed;
        }
        if let Some(origin) = &mut self.lab_origin {
            *origin = origin.trim_end_matches('/').to_owned();
            let is_origin = url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !is_origin || self.base_url.as_deref().is_none_or(|base| base.starts_with(origin.as_str())) {
                let message =
                    "`labOrigin` is an origin such as https://labs.example.org, another than that of `baseUrl`";
                return Err(ConfigError::Invalid { path: PathBuf::from("alidade.toml"), message: message.to_owned() });
            }
        }
        if let Some(token) = &self.admin_token
            && !(16..=200).contains(&token.len())
        {
            let expected = "it takes 16 to 200 characters".to_owned();
            return Err(ConfigError::Variable { name: "ALIDADE_ADMIN_TOKEN", given: "(not shown)".into(), expected });
        }
        let sparql = self.sparql;
        if !(1..=64).contains(&sparql.workers)
            || sparql.seconds == 0
            || sparql.memory_mib < 64
            || sparql.budget_seconds == 0
        {
            let message = "sparql needs 1 to 64 workers, a second at least, and 64 MiB at least".to_owned();
            return Err(ConfigError::Invalid { path: PathBuf::from("alidade.toml"), message });
        }
        if self.launches.lifetime_hours == 0 || self.launches.renewable_days == 0 {
            let message = "`launches.lifetimeHours` and `launches.renewableDays` are at least 1".to_owned();
            return Err(ConfigError::Invalid { path: PathBuf::from("alidade.toml"), message });
        }
        for (name, provider) in &mut self.oidc {
            provider.check(name)?;
        }
        let mut seen = std::collections::HashSet::new();
        for zone in &self.datazone {
            if !seen.insert(zone.id.to_string()) {
                let message = format!("the datazone `{}` is there twice", zone.id);
                return Err(ConfigError::Invalid { path: PathBuf::from("alidade.toml"), message });
            }
        }
        let mut seen = std::collections::HashSet::new();
        for source in &self.source {
            let invalid = |message: String| {
                let message = format!("the source `{}`: {message}", source.id);
                Err(ConfigError::Invalid { path: PathBuf::from("alidade.toml"), message })
            };
            if !seen.insert(source.id.as_str()) {
                return invalid("it is there twice".to_owned());
            }
            if let Err(error) = crate::harvest::check(self.zone.id.as_str(), source) {
                return invalid(error.to_string());
            }
        }
        Ok(())
    }

    /// Returns the public base URL without a trailing slash.
    pub fn base(&self) -> String {
        self.base_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// Says whether browsers reach the server over TLS, so that cookies can be bound to it.
    pub fn is_secure(&self) -> bool {
        self.base_url.as_deref().is_some_and(|base| base.starts_with("https://"))
    }
}

impl OidcConfig {
    fn check(&mut self, name: &ProviderName) -> Result<(), ConfigError> {
        let invalid = |message: String| ConfigError::Invalid {
            path: PathBuf::from("alidade.toml"),
            message: format!("oidc.{}: {message}", name.as_str()),
        };
        let is_issuer = url::Url::parse(&self.issuer).is_ok_and(|url| {
            (url.scheme() == "https" || (self.allow_http && url.scheme() == "http"))
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !is_issuer {
            return Err(invalid(format!("the issuer `{}` is no https URL without query", self.issuer)));
        }
        if let Some(path) = &self.client_secret_file {
            if self.client_secret.is_some() {
                return Err(invalid("set clientSecret or clientSecretFile, not both".to_owned()));
            }
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            self.client_secret = Some(Secret(text.trim().to_owned()));
        }
        Ok(())
    }
}

/// A database URL may hold a password; only its scheme is shown.
fn scheme_of(url: &str) -> String {
    format!("{}…", url.split("://").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let mut config = Config::parse(Path::new("test.toml"), text)?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn the_embedded_configuration_is_one() {
        let config = parse(EMBEDDED).unwrap();
        assert!(config.datazone.len() >= 2);
        assert_eq!(config.base(), "http://127.0.0.1:8080");
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        assert!(error("lisen = \"127.0.0.1:1\"").contains("lisen"));
        assert!(error("[zone]\nid = \"GO ESA\"\nname = \"x\"").contains("GO ESA"));
        assert!(error("baseUrl = \"ftp://x\"").contains("ftp://x"));
        assert!(error("listen = 8080").contains("listen"));
        assert!(error("trustedProxies = [\"10.0.0.0/99\"]").contains("10.0.0.0/99"));
        assert!(error("[accounts]\nsignUp = \"everybody\"").contains("everybody"));
        let oidc = |issuer: &str, more: &str| format!("[oidc.esa]\nissuer = \"{issuer}\"\nclientId = \"a\"\n{more}");
        assert!(error(&oidc("http://idp.example", "")).contains("oidc.esa: the issuer"));
        assert!(error(&oidc("https://idp.example", "clientSecretFile = \"/no/such/file\"")).contains("/no/such/file"));
        assert!(error(&oidc("https://idp.example", "").replace("esa", "E_S_A")).contains("E_S_A"));
        let parsed = parse(&oidc("https://idp.example", "clientSecret = \"very secret\"")).unwrap();
        assert!(!format!("{parsed:?}").contains("very secret"));
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let mut config = parse("sample = true").unwrap();
        let values = |name| match name {
            "ALIDADE_SAMPLE" => Some("0".to_owned()),
            "ALIDADE_ZONE" => Some("sci-cloud".to_owned()),
            _ => None,
        };
        config.override_with(values).unwrap();
        assert!(!config.sample);
        assert_eq!(config.zone.id.as_str(), "sci-cloud");
        let postgres = |name| (name == "ALIDADE_DATABASE_URL").then(|| "postgres://u:secret@h/db".to_owned());
        let error = config.override_with(postgres).unwrap_err().to_string();
        assert!(error.contains("postgres…") && !error.contains("secret"), "{error}");
    }
}
