//! What a text should not hold: secrets, invisible controls, letters that pretend to be others, placeholders.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Returns the text in Unicode normalisation form C, so that equal texts are equal bytes.
pub(crate) fn normalised(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Says whether a text only holds a place: `tbd`, `TODO`, `lorem ipsum`, a dash.
pub(crate) fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "tbd",
        "tba",
        "tbc",
        "todo",
        "fixme",
        "xxx",
        "n/a",
        "na",
        "none",
        "test",
        "description",
        "to be defined",
        "to be done",
        "placeholder",
    ];
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    bare.is_empty() || WORDS.contains(&bare.as_str()) || bare.starts_with("lorem ipsum")
}

/// Returns the first character that steers the direction of text or is invisible.
pub(crate) fn hidden_character(text: &str) -> Option<char> {
    if text.is_ascii() && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return None;
    }
    text.chars().find(|character| {
        matches!(character,
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}'
            | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    })
}

/// Returns the first character that XML 1.0 cannot hold, not even as an escape: harvesters would get no document at all.
pub(crate) fn unwritable(text: &str) -> Option<char> {
    text.chars().find(|character| {
        matches!(character, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
    })
}

/// Says whether a character steers the direction of text.
pub(crate) fn is_bidi(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the first word that mixes Latin letters with letters of another script that look like them.
pub(crate) fn mixed_word(text: &str) -> Option<&str> {
    if text.is_ascii() {
        return None;
    }
    let latin = |c: char| c.is_ascii_alphabetic();
    let alike = |c: char| matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{13a0}'..='\u{13f5}' | '\u{ff21}'..='\u{ff5a}');
    // Greek letters stand beside Latin ones in science (`Hα`, `µm`, `ΔT`): one alone deceives nobody.
    let greek_symbol = |word: &str| {
        word.chars().filter(|&c| alike(c)).all(|c| ('\u{370}'..='\u{3ff}').contains(&c))
            && word.chars().filter(|&c| alike(c)).count() == 1
    };
    text.split(|c: char| !c.is_alphanumeric())
        .find(|word| word.chars().any(latin) && word.chars().any(alike) && !greek_symbol(word))
}

/// Returns the part of a text that looks like a secret.
pub(crate) fn secret(text: &str) -> Option<&str> {
    static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
        // Letters of every script would make the counted repeats larger than the engine allows; tokens have none.
        Regex::new(concat!(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"|\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{20,}",
            r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9_-]{10,}|\bsk-[A-Za-z0-9_-]{20,}|\bAIza[A-Za-z0-9_-]{35}",
            r"|\bgl(?:ptt|dt|rt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgE[A-Za-z0-9_-]{50,}",
            r"|\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{30,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}",
            r"|\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bdop_v1_[0-9a-f]{32,}",
            r"|\bald_[A-Za-z0-9_-]{40,}|\bAGE-SECRET-KEY-1[0-9A-Z]{40,}|\bAccountKey=[A-Za-z0-9+/]{40,}",
            r"|\bhooks\.slack\.com/services/[A-Za-z0-9_]+/[A-Za-z0-9_]+/[A-Za-z0-9_]+|\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|PuTTY-User-Key-File-",
            r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
            r"|\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@"
        ))
        .expect("the pattern is constant")
    });
    static PHRASE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(?:password|passwd|passphrase|passcode|pwd|secret|api[ _-]?key|access[ _-]?(?:token|key))\b(\s*(?:[:=]|\bis\b)\s*|\s+)["'`“‘]?([^\s"'`”’,;()]{4,})["'`”’]?(\s*(?:$|[.,;)\n]))?"#)
            .expect("the pattern is constant")
    });
    // In other languages only what is written as a pair: word order differs too much to tell prose from a password.
    static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(?:passwort|kennwort|mot de passe|contraseña|wachtwoord|pw)\s*[:=]\s*["'`“„«]?\s*([^\s"'`”“»,;()]{4,})"#)
            .expect("the pattern is constant")
    });
    // Words that follow `password` in ordinary sentences.
    const ORDINARY: &[&str] = &[
        "forgotten",
        "recovery",
        "expired",
        "expires",
        "entry",
        "strength",
        "storage",
        "vault",
        "vaults",
        "sharing",
        "list",
        "lists",
        "prompts",
        "rules",
        "rule",
        "requirements",
        "dialog",
        "protected.",
        "free",
        "based",
        "again",
        "first",
        "later",
        "once",
        "instead",
        "too",
        "alone",
        "itself",
        "there",
        "here",
        "below",
        "above",
        "mandatory",
        "required",
        "disabled",
        "enabled",
        "changed",
        "chosen",
        "created",
        "generated",
        "assigned",
        "encrypted",
        "hashed",
        "secret",
        "kept",
        "known",
        "protected",
        "required",
        "needed",
        "manager",
        "managers",
        "management",
        "reset",
        "resets",
        "change",
        "changes",
        "file",
        "files",
        "authentication",
        "access",
        "login",
        "prompt",
        "field",
        "hash",
        "hashes",
        "hashing",
        "policy",
        "protection",
        "less",
        "from",
        "given",
        "that",
        "which",
        "when",
        "with",
        "your",
        "must",
        "will",
        "sent",
        "stored",
        "used",
        "shown",
        "asked",
        "unknown",
        "optional",
        "rotation",
        "generation",
        "provided",
        "never",
        "empty",
        "only",
        "and",
    ];
    // Most texts hold none of these; looking for them costs a tenth of the expressions.
    const MARKS: &[&str] = &[
        "-----BEGIN",
        "gh",
        "gl",
        "AKIA",
        "ASIA",
        "xox",
        "sk-",
        "AIza",
        "eyJ",
        "://",
        "github_pat_",
        "npm_",
        "pypi-",
        "dckr_",
        "hf_",
        "GOCSPX-",
        "ya29.",
        "k_live_",
        "k_test_",
        "SG.",
        "dop_v1_",
        "ald_",
        "AGE-SECRET",
        "AccountKey=",
        "hooks.slack.com",
        ":AA",
        "PuTTY-",
    ];
    const WORDS: &[&str] = &["pass", "pw", "secret", "key", "token", "kennwort", "contrase", "wachtwoord"];
    if MARKS.iter().any(|mark| text.contains(mark))
        && let Some(found) = TOKENS.find(text)
    {
        return Some(found.as_str());
    }
    let lower = text.to_ascii_lowercase();
    if !WORDS.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let named =
        |word: &str| word.starts_with(['$', '<', '{', '%', '*']) || ORDINARY.contains(&word.to_lowercase().as_str());
    if let Some(found) =
        ELSEWHERE.captures_iter(text).find(|found| found.get(1).is_some_and(|word| !named(word.as_str())))
    {
        return found.get(0).map(|whole| whole.as_str());
    }
    PHRASE.captures_iter(text).find_map(|found| {
        let between = found.get(1)?.as_str();
        let word = found.get(2)?.as_str().trim_end_matches(['.', '!', '?']);
        let plain = word.to_lowercase();
        let ordinary = ORDINARY.contains(&plain.as_str())
            || word.len() < 4
            || plain.starts_with("http")
            || word.starts_with(['$', '<', '{', '%', '*']);
        // `password epharm.` ends its clause; `password recovery of accounts` goes on and is prose.
        let prose = between.trim().is_empty() && found.get(3).is_none() && !word.chars().any(|c| c.is_ascii_digit());
        (!ordinary && !prose).then(|| found.get(0).map_or("", |whole| whole.as_str()))
    })
}

/// Says whether the name of an environment variable announces a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "API_KEY",
        "APIKEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
        "CREDENTIAL",
        "PASSPHRASE",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Says whether the value of a variable holds no secret by itself: nothing, a switch, or a reference to be filled in.
pub(crate) fn is_harmless_value(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || value.starts_with('$')
        || value.starts_with('<') && value.ends_with('>')
        || value.starts_with('/')
        || matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "0" | "1" | "yes" | "no" | "none" | "null" | "unset"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_seen() {
        for text in [
            "log in as root with password epharm",
            "user guest, password: guest123",
            "the password is Tr0ub4dor",
            "token ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "see ftp://user:pa55@host/x",
            "AKIAABCDEFGHIJKLMNOP",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(secret(text).is_some(), "{text}");
        }
    }

    #[test]
    fn ordinary_sentences_are_not_secrets() {
        for text in [
            "Access is password protected.",
            "The password is required at the first start.",
            "A password manager for terminals",
            "Change your password when you log in",
            "The secret life of stars",
            "Without password authentication the session ends",
            "An API key is never stored.",
            "Tokens of the language are highlighted, keywords too.",
            "See https://www.cosmos.esa.int/web/gaia for the passwordless login",
            "The secret of dark matter, told by Euclid.",
        ] {
            assert_eq!(secret(text), None, "{text}");
        }
    }

    #[test]
    fn placeholders_are_seen() {
        for text in ["tbd", "TBD.", "- tbd -", "Lorem ipsum dolor", "", "…"] {
            assert!(is_placeholder(text), "{text}");
        }
        assert!(!is_placeholder("Test bench for cameras"));
    }

    #[test]
    fn hidden_and_mixed_letters_are_seen() {
        assert_eq!(hidden_character("ab\u{202e}c"), Some('\u{202e}'));
        assert_eq!(hidden_character("line\nline\ttab é"), None);
        assert_eq!(mixed_word("an \u{430}ladin"), Some("\u{430}ladin"));
        for text in ["Hα line", "5 µm", "Космос", "Ελλάδα and Latin", "ΔT"] {
            assert_eq!(mixed_word(text), None, "{text}");
        }
    }
}
