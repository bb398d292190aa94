//! Who looks, and how they like it.

use catalog_schemas::account::{Me, Role};

/// Light, dark, or whatever the reader's system says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// What the reader's system says.
    #[default]
    System,
    /// Paper and ink.
    Light,
    /// Night sky.
    Dark,
}

impl Theme {
    /// Every theme in the order in which the footer offers them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Returns the word kept in the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Returns the theme of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// Who looks at a page: everything the frame around it needs to know.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The account, as the API tells it.
    pub me: Me,
    /// The theme chosen.
    pub theme: Theme,
    /// Path and query of the page, to come back to.
    pub path: String,
}

impl Viewer {
    /// Returns somebody nobody knows.
    pub fn anonymous(path: impl Into<String>) -> Self {
        let me = Me {
            account: None,
            display_name: None,
            role: Role::Anonymous,
            namespaces: Vec::new(),
            running: 0,
            allowed_running: 0,
            unread: 0,
        };
        Self { me, theme: Theme::System, path: path.into() }
    }

    /// Says whether the viewer is signed in.
    pub fn signed_in(&self) -> bool {
        self.me.role != Role::Anonymous
    }

    /// Returns what to call the viewer.
    pub(crate) fn name(&self) -> String {
        self.me.display_name.clone().or_else(|| self.me.account.clone()).unwrap_or_else(|| "Account".to_owned())
    }
}
