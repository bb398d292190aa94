//! A sentence that must be seen: something done, something to look at, something wrong.

use leptos::prelude::*;

/// How grave a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Done.
    Good,
    /// To be known.
    Plain,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

/// Returns a notice; what is wrong is announced at once, everything else when the reader pauses.
pub fn notice(tone: Tone, content: impl IntoAny) -> AnyView {
    let (class, role) = match tone {
        Tone::Good => ("notice good", "status"),
        Tone::Plain => ("notice", "status"),
        Tone::Warn => ("notice warn", "status"),
        Tone::Bad => ("notice bad", "alert"),
    };
    view! { <div class=class role=role>{content.into_any()}</div> }.into_any()
}

/// Returns the fault of one field, to be named by the field's `aria-describedby`.
pub fn fault(id: &'static str, faults: &[(&'static str, String)], field: &str) -> Option<AnyView> {
    let (_, message) = faults.iter().find(|(name, _)| *name == field)?;
    Some(view! { <span class="fault" id=id>{message.clone()}</span> }.into_any())
}
