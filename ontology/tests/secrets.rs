//! What looks like a secret is warned of; what merely speaks of secrets is not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use catalog_ontology::manifest::{Options, Writer, validate};
use serde_json::json;

fn is_suspected(text: &str) -> bool {
    let manifest = json!({ "@context": catalog_schemas::CONTEXT, "@type": "Datalab", "description": { "en": text } });
    let options = Options { complete: false, ..Options::new(Writer::Developer) };
    let findings = validate(manifest.to_string().as_bytes(), &options).report.findings;
    let suspected = findings.iter().find(|finding| finding.code == "secret.suspected");
    // A finding goes into reports, logs and pages: it must not carry on what it warns of.
    assert!(suspected.is_none_or(|finding| finding.got.is_none() && !finding.message.contains("epharm")));
    suspected.is_some()
}

#[test]
fn known_kinds_of_secrets_are_suspected() {
    // Made of pieces, so that no scanner takes this file for the leak that it is about.
    let digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ";
    let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST";
    let tokens = [
        format!("gh{}_{}", 'p', &digits[..36]),
        format!("github_{}_{}", "pat", &digits[..40]),
        format!("gl{}-{}", "pat", &digits[..24]),
        format!("gl{}-{}", "dt", &digits[..24]),
        format!("AK{}{}", "IA", &upper[..16]),
        format!("xo{}-{}", "xb", &digits[..20]),
        format!("s{}-{}", 'k', &digits[..30]),
        format!("AI{}{}", "za", &digits[..35]),
        format!("npm{}{}", '_', &digits[..36]),
        format!("py{}-AgE{}{}", "pi", digits, &digits[..20]),
        format!("dckr_{}_{}", "pat", &digits[..27]),
        format!("h{}_{}", 'f', &digits[..34]),
        format!("GOC{}-{}", "SPX", &digits[..28]),
        format!("sk_{}_{}", "live", &digits[..24]),
        format!("S{}.{}.{}", 'G', &digits[..22], &digits[..43]),
        format!("dop_{}_{}", "v1", "0123456789abcdef".repeat(4)),
        format!("al{}_{}", 'd', &digits[..43]),
        format!("AGE-{}-KEY-1{}", "SECRET", &upper[..50]),
        format!("Account{}={}==", "Key", digits),
        format!("https://hooks.{}.com/services/T00000000/B00000000/{}", "slack", &digits[..24]),
        format!("123456789:{}{}", "AA", &digits[..33]),
        format!("ey{}{}.ey{}{}.{}", 'J', &digits[..20], 'J', &digits[..20], &digits[..20]),
        format!("-----BEGIN {} KEY-----", "OPENSSH PRIVATE"),
        "ftp://user:pa55word@host.example/x".to_owned(),
    ];
    for token in tokens {
        assert!(is_suspected(&format!("Begin with {token} and go on.")), "{token}");
    }
    for text in [
        "Default VM login: user epharm, password epharm",
        "The password is epharm.",
        "password: guest123",
        "Password=\"letmein\"",
        "log in with passphrase correct-horse9",
        "api key: 8f3b2c1d",
        "access token = abcd1234",
        "Passwort: geheim7",
        "Mot de passe : soleil42",
        "contraseña: solyluna",
        "secret: s3cr3t",
        "PWD=hunter2",
    ] {
        assert!(is_suspected(text), "{text}");
    }
}

#[test]
fn two_hundred_ordinary_abstracts_are_not() {
    let subjects = [
        "Gaia DR3",
        "Planck maps",
        "Euclid images",
        "Rosetta spectra",
        "JWST cubes",
        "Sentinel-2 tiles",
        "XMM-Newton events",
        "Galileo orbits",
    ];
    let sentences = [
        "Notebooks to query and plot {}, with the archive mounted beside them.",
        "Access to {} is password protected; ask the archive for an account.",
        "An API key is never stored: {} are read with the token of whoever launches.",
        "Change your password when you first log in to the service that holds {}.",
        "The secret life of stars, told by {}.",
        "Reads {} through TAP at https://archives.example.org/tap?query=x and keeps nothing.",
        "Tokens of the query language are highlighted while one writes queries on {}.",
        "Without password authentication the session of {} ends after an hour.",
        "Key parameters of {} are fitted: mass, radius, and the key observable of each epoch.",
        "A password manager for the accounts of {} is not part of this datalab.",
        "If you lost it, password recovery for {} is with your home organisation.",
        "The band pass: 3.4 to 4.6 micron, as calibrated with {}.",
        "The public key infrastructure that signs {} is described in its handbook.",
        "Primary key, foreign key and index of each table of {} are listed.",
        "Everything about {} in one place; no password needed, no key required.",
        "Secret sharing and access control are out of scope for {}.",
        "Contact pass@example.org about {}, or the help desk at user@example.org.",
        "Uses access tokens of the identity provider to read {} in your name.",
        "Passwords are hashed by the portal and never reach {}.",
        "Ratio 12345678:AB and other identifiers of {} are kept as they are given.",
        "The passphrase is asked for at the first start, and protects the copy of {}.",
        "Glitch rates (gh, gl, sk) of {} by orbit, and the keyword-value pairs of their headers.",
        "Login: with your institutional account; the password is required once for {}.",
        "See doi:10.1051/0004-6361/202243940 for {} and the skewness sk of their noise.",
        "Hash-based keys (sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef) name files of {}.",
    ];
    let texts: Vec<String> = sentences
        .iter()
        .flat_map(|sentence| subjects.iter().map(move |subject| sentence.replace("{}", subject)))
        .collect();
    assert_eq!(texts.len(), 200);
    let suspected: Vec<_> = texts.iter().filter(|text| is_suspected(text)).collect();
    assert!(suspected.is_empty(), "{suspected:#?}");
}
