//! The life of records: states, the queue of moderators, notices, keys, signatures, differences.

use serde::{Deserialize, Serialize};

use crate::record::TermValue;

/// Asks for a step in the life of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateChange {
    /// `draft`, `submitted`, `published`, `deprecated` or `withdrawn`.
    pub state: String,
    /// Why, 1 to 500 characters; needed to return a submission and to withdraw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The IRI of the record to use instead, for `deprecated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// What became of a step or a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StateChanged {
    /// The state that it has now.
    pub state: String,
    /// The ledger sequence of the change.
    pub seq: u64,
}

/// A version that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// The record's home zone.
    pub zone: String,
    /// The record.
    pub identifier: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// `draft` or `submitted`.
    pub state: String,
    /// Who uploaded it.
    pub publisher: String,
    /// Since when it waits.
    pub since: String,
    /// The version that everybody sees now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Warnings that its publisher took responsibility for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<String>,
    /// Why it was returned, when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What waits for a moderator, and the viewer's own drafts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Submissions, the longest waiting first: all of them for moderators, their own for developers.
    pub submitted: Vec<QueueItem>,
    /// The viewer's own drafts.
    pub drafts: Vec<QueueItem>,
}

/// How two versions of a record differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The version that is looked at.
    pub version: String,
    /// The version that it is compared with; absent when there is none, so that everything is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The terms that differ, in the order of the term table.
    pub changes: Vec<TermChange>,
    /// How many terms are the same.
    pub same: usize,
}

/// How one term differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TermChange {
    /// The key in a manifest.
    pub key: String,
    /// The term's label.
    pub label: String,
    /// Whether only developers, moderators and the application may read it.
    #[serde(default)]
    pub private: bool,
    /// Values that are gone.
    pub before: Vec<TermValue>,
    /// Values that are new.
    pub after: Vec<TermValue>,
    /// How many values are in both.
    pub kept: usize,
}

/// Something that the viewer should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Counts up.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What happened: `submitted`, `published`, `approved`, `returned`, `withdrawn`, `deprecated`, `restored`, `overlaid`,
    /// or `held`: a run of a source waits for approval.
    pub what: String,
    /// The record's home zone; empty when it is about a source.
    pub zone: String,
    /// The record, or the source.
    pub identifier: String,
    /// The version, or the source's run; absent when it is about the whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who did it.
    pub account: String,
    /// Whether the viewer has read it.
    pub read: bool,
    /// The page to look at.
    pub url: String,
}

/// Everything that the viewer should know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Notifications {
    /// How many are not read yet.
    pub unread: u64,
    /// Newest first.
    pub notifications: Vec<Notification>,
}

/// Says up to where the viewer has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadUpTo {
    /// The number of the newest notification that was read.
    pub number: u64,
}

/// A signature of a package, as it is sent beside it and shown with its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// How statements and text are made: `alidade-package-signature/1`.
    pub profile: String,
    /// `ed25519`.
    pub algorithm: String,
    /// The public key in multibase, as `sec:publicKeyMultibase`.
    pub public_key: String,
    /// The record's identifier.
    pub identifier: String,
    /// The version.
    pub version: String,
    /// SHA-256 of the sorted public statements that the publisher made, hexadecimal.
    pub statements: String,
    /// SHA-256 of the archive, hexadecimal.
    pub digest: String,
    /// The signature, base64.
    pub value: String,
}

/// What is known of a version's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignatureView {
    /// The signature.
    pub signature: Signature,
    /// `verified`, `revoked` (it was good when its key was revoked), `unknown` (no key of the namespace) or `broken`.
    pub state: String,
    /// What the key is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The namespace that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Asks for a key to be registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSigningKey {
    /// The namespace.
    pub namespace: String,
    /// What it is called, 1 to 100 characters.
    pub name: String,
    /// The public key in multibase, as `alidade key new` prints it.
    pub public_key: String,
}

/// A key of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Names it for revoking.
    pub id: String,
    /// The namespace.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// The public key in multibase.
    pub public_key: String,
    /// Who registered it.
    pub account: String,
    /// When, RFC 3339.
    pub created: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// A list of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SigningKeys {
    /// By namespace, oldest first.
    pub keys: Vec<SigningKey>,
}

/// A form by which a viewer edits a record: what they may write of it, as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditForm {
    /// The record's name.
    pub name: String,
    /// The version that developers amend.
    pub version: String,
    /// The sequence of the record as it is in this form.
    pub seq: u64,
    /// Whether what is written lies over every version (a moderator's) or over this one (a developer's).
    pub overlay: bool,
    /// The fields, in the order of the term table.
    pub fields: Vec<EditField>,
}

/// One field of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditField {
    /// The dotted key in a manifest.
    pub key: String,
    /// The language, for a text that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The term's label.
    pub label: String,
    /// What the term means.
    pub definition: String,
    /// What is expected, in words.
    pub expected: String,
    /// Whether only developers, moderators and the application may read it.
    #[serde(default)]
    pub private: bool,
    /// Whether a record must have it.
    #[serde(default)]
    pub required: bool,
    /// How it is written.
    pub input: Input,
    /// What can be chosen, for `choice` and `choices`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<EditOption>,
    /// Its value as text: a line a value where there may be several, JSON for `json`.
    pub value: String,
}

/// How a field is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// One line.
    #[default]
    Text,
    /// Several lines that are one value.
    Long,
    /// A value a line.
    Lines,
    /// A number.
    Number,
    /// Yes, no, or nothing.
    Boolean,
    /// One of the options.
    Choice,
    /// Some of the options.
    Choices,
    /// JSON.
    Json,
}

/// One option of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditOption {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
}

impl EditField {
    /// Returns the JSON that a text of this field means; nothing for no text, which removes it.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, in a sentence.
    pub fn read(&self, text: &str) -> Result<serde_json::Value, String> {
        use serde_json::Value;
        let text = text.replace("\r\n", "\n");
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(Value::Null);
        }
        let lines = || trimmed.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(match self.input {
            Input::Text | Input::Choice | Input::Long => Value::String(trimmed.to_owned()),
            Input::Lines | Input::Choices => lines().map(|line| Value::String(line.to_owned())).collect(),
            Input::Boolean => match trimmed {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return Err("write yes or no".to_owned()),
            },
            Input::Number => {
                let number: Result<serde_json::Number, _> = trimmed.parse();
                number.map(Value::Number).map_err(|_| format!("`{trimmed}` is not a number"))?
            }
            Input::Json => serde_json::from_str(trimmed).map_err(|error| format!("this is not JSON: {error}"))?,
        })
    }
}

/// Puts a value at its place, making objects on the way.
fn put(place: &mut serde_json::Map<String, serde_json::Value>, steps: &[&str], value: serde_json::Value) {
    use serde_json::{Map, Value};
    match steps {
        [] => {}
        [last] => {
            place.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let slot = place.entry((*first).to_owned()).or_insert(Value::Null);
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Value::Object(inner) = slot {
                put(inner, rest, value);
            }
        }
    }
}

impl EditForm {
    /// Makes the JSON merge patch of the fields whose text is another than in this form.
    ///
    /// # Errors
    ///
    /// The fields whose text cannot be read, by their names.
    pub fn patch(
        &self,
        text_of: impl Fn(&EditField) -> Option<String>,
    ) -> Result<serde_json::Value, Vec<(String, String)>> {
        use serde_json::{Map, Value};
        let mut patch = Map::new();
        let mut faults = Vec::new();
        for field in &self.fields {
            let Some(text) = text_of(field) else { continue };
            let tidy = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
            if tidy(&text) == tidy(&field.value) {
                continue;
            }
            let value = match field.read(&text) {
                Ok(value) => value,
                Err(fault) => {
                    faults.push((field.name(), fault));
                    continue;
                }
            };
            let mut steps: Vec<&str> = field.key.split('.').collect();
            steps.extend(field.language.as_deref());
            put(&mut patch, &steps, value);
        }
        if faults.is_empty() { Ok(Value::Object(patch)) } else { Err(faults) }
    }
}

impl EditField {
    /// Returns the name of the field in a form.
    pub fn name(&self) -> String {
        match &self.language {
            Some(language) => format!("{}@{language}", self.key),
            None => self.key.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(key: &str, language: Option<&str>, input: Input, value: &str) -> EditField {
        let language = language.map(str::to_owned);
        EditField { key: key.to_owned(), language, input, value: value.to_owned(), ..EditField::default() }
    }

    #[test]
    fn only_what_changed_becomes_a_patch() {
        let form = EditForm {
            fields: vec![
                field("name", Some("en"), Input::Text, "A"),
                field("name", Some("fr"), Input::Text, "B"),
                field("keyword", Some("en"), Input::Lines, "a\nb"),
                field("needs.cpu.min", None, Input::Number, "2"),
                field("ESAOfficial", None, Input::Boolean, "true"),
                field("author", None, Input::Json, "[]"),
                field("abstract", Some("en"), Input::Long, "x\ny"),
            ],
            ..EditForm::default()
        };
        let texts = ["A", "", "b\r\n\r\nc", "4", "false", "[{\"name\":\"N\"}]", "x\r\ny"];
        let patch = form.patch(|field| {
            let at = form.fields.iter().position(|other| other == field)?;
            Some(texts[at].to_owned())
        });
        let expected = json!({
            "name": {"fr": null}, "keyword": {"en": ["b", "c"]}, "needs": {"cpu": {"min": 4}}, "ESAOfficial": false,
            "author": [{"name": "N"}]
        });
        assert_eq!(patch, Ok(expected));
        let bad = form.patch(|field| (field.input == Input::Json).then(|| "{".to_owned())).unwrap_err();
        assert_eq!(bad[0].0, "author");
    }
}
