//! Signatures of packages across zones: what a feed hands on, and whether what came from elsewhere holds.

use std::collections::HashMap;

use catalog_ontology::record::Record;
use catalog_ontology::signature::{self, SignatureError, Trust, TrustedKey};
use catalog_records::{ForeignSignature, Ledger, StoredRecord};
use catalog_schemas::governance::{Signature, SignatureView};
use catalog_schemas::harvest::PackageSignature;
use serde_json::Value;

use crate::http::problem::Failure;

/// Finds what is to be handed on of these records: the signature of each that came signed, by the record's number.
///
/// # Errors
///
/// Whatever the ledger says.
pub async fn handed_on(ledger: &Ledger, records: &[&StoredRecord]) -> Result<HashMap<i64, PackageSignature>, Failure> {
    let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
    let mut found = HashMap::new();
    for signed in ledger.signed(&ids).await? {
        let Some(record) = records.iter().find(|record| record.id == signed.record) else { continue };
        let signature: Signature = serde_json::from_str(&signed.signature).map_err(Failure::internal)?;
        let keys = ledger.keys_of(&record.identifier.namespace()).await?;
        let key = keys.into_iter().find(|key| key.public_key == signature.public_key);
        let public = |text: &str| -> Option<Value> {
            let document: Value = serde_json::from_str(text).ok()?;
            Some(Record::from_document(&document).ok()?.public_document())
        };
        let as_signed = public(&signed.document);
        let document = as_signed.filter(|as_signed| public(&record.document).as_ref() != Some(as_signed));
        let (name, namespace, revoked) =
            key.map_or((None, None, false), |key| (Some(key.name), Some(key.namespace), key.revoked.is_some()));
        found.insert(record.id, PackageSignature { signature, document, name, namespace, revoked });
    }
    Ok(found)
}

/// Verifies what another zone hands on against the public half of what was signed; the home zone vouches for the key.
///
/// # Errors
///
/// What does not hold; [`SignatureError::UnknownKey`] when all is well and nobody vouches for the key.
pub fn verify(said: &PackageSignature, of: (&str, &str), document: &Value) -> Result<Trust, SignatureError> {
    let record = Record::from_document(document).map_err(|_| SignatureError::Broken)?;
    let vouched = said.name.is_some();
    let key = TrustedKey { public_key: said.signature.public_key.clone(), revoked: said.revoked };
    let keys = if vouched { std::slice::from_ref(&key) } else { &[] };
    signature::verify(&said.signature, of, &signature::statements_digest(&record), None, keys)
}

/// Shows what another zone says of a signature, after looking at it again.
pub fn shown(foreign: &ForeignSignature, identifier: &str, version: &str) -> Option<SignatureView> {
    let said: PackageSignature = serde_json::from_str(&foreign.said).ok()?;
    let document: Value = serde_json::from_str(&foreign.document).ok()?;
    let state = match verify(&said, (identifier, version), &document) {
        Ok(Trust::Trusted) => "verified",
        Ok(Trust::Revoked) => "revoked",
        Err(SignatureError::UnknownKey(_)) => "unknown",
        Err(_) => "broken",
    };
    Some(SignatureView {
        state: state.to_owned(),
        name: said.name,
        namespace: said.namespace,
        signature: said.signature,
    })
}
