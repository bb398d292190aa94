//! Sources that misbehave in every way that we know: nothing is lost, nothing is removed, and the operator is told why.
//!
//! The cases are data, `suite/harvest/hostile.json`: a site that is well, and what of it goes wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::path::Path;

use catalog_schemas::harvest::SourceSettings;
use catalog_tests::site::{Answers, Sites};
use catalog_tests::{Sandbox, Settings};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Suite {
    sites: std::collections::HashMap<String, Site>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Site {
    settings: Map<String, Value>,
    records: u64,
    answers: Answers,
}

#[derive(Deserialize)]
struct Case {
    site: String,
    name: String,
    /// `partial`, `failed`, `held`; `kept` where one record is set aside and the rest was read.
    ends: String,
    code: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
    answers: Answers,
}

fn settings(id: &str, base: &str, site: &Site, case: Option<&Case>) -> SourceSettings {
    let mut all = site.settings.clone();
    all.extend(case.map(|case| case.settings.clone()).unwrap_or_default());
    all.extend([("id".to_owned(), json!(id)), ("allowPrivateAddresses".to_owned(), json!(true))]);
    all.insert("retries".to_owned(), json!(0));
    all["url"] = json!(all["url"].as_str().unwrap().replace("{base}", base));
    serde_json::from_value(Value::Object(all)).unwrap()
}

/// Harvests a site that is well, then goes wrong, then is well again; says what is wrong with what came of it.
async fn try_case(sandbox: &Sandbox, sites: &Sites, id: &str, site: &Site, case: &Case) -> Result<(), String> {
    let admin = sandbox.admin();
    sites.set(id, site.answers.clone());
    admin.source_define(&settings(id, &sites.base(id), site, None)).await.unwrap();
    let good = sandbox.harvest(id, false).await;
    if (good.state.as_str(), good.complete, good.added, good.quarantined) != ("completed", true, site.records, 0) {
        return Err(format!("the site is not well: {good:?}"));
    }
    let mut answers = site.answers.clone();
    answers.extend(case.answers.clone());
    sites.set(id, answers);
    admin.source_define(&settings(id, &sites.base(id), site, Some(case))).await.unwrap();
    // Twice: what was spared once is not to be taken the next time.
    for round in 1..=2 {
        let bad = sandbox.harvest(id, false).await;
        let ends = match (bad.state.as_str(), bad.complete) {
            ("completed", true) => "kept",
            ("completed", false) => "partial",
            (other, _) => other,
        };
        let code = bad.reason.as_ref().map(|reason| reason.code.as_str());
        if ends != case.ends || case.code.is_some() && code != case.code.as_deref() {
            return Err(format!("round {round} ends {ends} with {code:?}: {bad:?}"));
        }
        if ends == "kept" && bad.quarantined == 0 {
            return Err(format!("round {round}: nothing was set aside: {bad:?}"));
        }
        if ends != "held" && bad.removed + bad.added + bad.changed > 0 {
            return Err(format!("round {round}: something changed: {bad:?}"));
        }
        let left = admin.source(id).await.unwrap().records;
        if left != site.records {
            return Err(format!("round {round}: {left} of {} records are left", site.records));
        }
    }
    sites.set(id, site.answers.clone());
    admin.source_define(&settings(id, &sites.base(id), site, None)).await.unwrap();
    let again = sandbox.harvest(id, false).await;
    let changes = again.added + again.changed + again.removed;
    if (again.state.as_str(), again.complete, again.unchanged, changes) != ("completed", true, site.records, 0) {
        return Err(format!("it does not come back as it was: {again:?}"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_never_deletes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/harvest/hostile.json");
    let suite: Suite = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let sandbox = Sandbox::start(Settings::default()).await;
    let sites = Sites::start().await;
    let results: Vec<_> = futures::stream::iter(suite.cases.iter().enumerate())
        .map(|(number, case)| {
            let (sandbox, sites, site) = (&sandbox, &sites, &suite.sites[&case.site]);
            async move {
                let id = format!("case-{number}");
                let result = try_case(sandbox, sites, &id, site, case).await;
                result.map_err(|error| format!("{}, {} ({id}): {error}", case.site, case.name))
            }
        })
        .buffer_unordered(4)
        .collect()
        .await;
    let faults: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), suite.cases.len(), faults.join("\n"));
    let records: u64 = suite.cases.iter().map(|case| suite.sites[&case.site].records).sum();
    sandbox.wait_until_in_step().await;
    assert!(sandbox.search(&[]).await.total as u64 > 0, "{records} records were harvested and none is found");
}
