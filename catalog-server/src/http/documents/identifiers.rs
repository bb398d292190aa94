//! Identifiers: where they lead, and the documents about what they name.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog_document::tombstone::{self, Tombstone};
use catalog_document::{Described, Form, Profile, Syntax, signposting};
use catalog_schemas::id::{Identifier, Version, ZoneId};
use catalog_schemas::problem::Problem;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{described, document, http_date, is_unchanged, link, not_acceptable, package_of, tag, unchanged};
use crate::app::App;
use crate::http::accept::{accept_of, negotiate};
use crate::http::extract::{Path, Query};
use crate::http::problem::Failure;
use crate::http::records::Found;
use crate::http::viewer::Viewer;

/// A form of the link set: its suffix and its media type.
type Linkset = (&'static str, &'static str);

/// Which profile is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// A profile by its short name or IRI: `esado`, `dcat-ap`, `schema`, `datacite`, `ro-crate`, `codemeta`, `citation`.
    #[serde(alias = "_profile")]
    profile: Option<String>,
}

/// Leads from an identifier to its page or to its data, or gives the data when the path has a suffix.
#[utoipa::path(get, path = "/id/{zone}/{identifier}", tag = "data", params(Asked,
        ("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name, also with a suffix such as .ttl, .jsonld, .rdf, .nt, .nq, .trig, .html, .json, .dcat-ap.ttl, .schema.jsonld, .datacite.xml, .datacite.json, .ro-crate.jsonld, .codemeta.json, .cff, .bib, .ris, .csl.json, .linkset.json or .linkset.txt")),
    responses((status = 200, description = "The data"), (status = 303, description = "See the page, or the data"), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such record", body = Problem), (status = 406, description = "No such format or profile", body = Problem), (status = 410, description = "Withdrawn: a tombstone in the format that is asked for", body = Problem)))]
pub async fn identifier(
    State(app): State<Arc<App>>,
    Path((zone, last)): Path<(ZoneId, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // An identifier may itself end like a suffix; the whole name wins when there is such a record.
    if let Ok(identifier) = last.parse::<Identifier>()
        && app.ledger.record(&zone, &identifier).await?.is_some()
    {
        return Named { zone, identifier, version: None }.lead(&app, &asked, &headers).await;
    }
    let missing = || Failure::not_found("record", &format!("{zone}/{last}"));
    let (name, part) = Part::split(&last).ok_or_else(missing)?;
    let identifier = name.parse().map_err(|_| missing())?;
    Named { zone: zone.clone(), identifier, version: None }.give(&app, part, &asked, &headers).await
}

/// The same for one version of a record.
#[utoipa::path(get, path = "/id/{zone}/{identifier}/{version}", tag = "data", params(Asked,
        ("zone" = String, Path, description = "The home zone"), ("identifier" = String, Path, description = "namespace.name"), ("version" = String, Path, description = "A version, also with the same suffixes")),
    responses((status = 200, description = "The data"), (status = 303, description = "See the page, or the data"), (status = 304, description = "Unchanged"),
        (status = 404, description = "No such version", body = Problem), (status = 406, description = "No such format or profile", body = Problem), (status = 410, description = "Withdrawn: a tombstone in the format that is asked for", body = Problem)))]
pub async fn version(
    State(app): State<Arc<App>>,
    Path((zone, identifier, last)): Path<(ZoneId, Identifier, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Ok(version) = last.parse::<Version>()
        && app.ledger.version(&zone, &identifier, &version).await?.is_some()
    {
        return Named { zone, identifier, version: Some(version) }.lead(&app, &asked, &headers).await;
    }
    let missing = || Failure::not_found("version", &last);
    let (name, part) = Part::split(&last).ok_or_else(missing)?;
    let version = Some(name.parse().map_err(|_| missing())?);
    Named { zone, identifier, version }.give(&app, part, &asked, &headers).await
}

/// What a suffix asks for.
#[derive(Clone, Copy)]
enum Part {
    Form(&'static Form),
    Linkset(Linkset),
    /// `.html`: the page.
    Page,
    /// `.json`: the record as the API gives it.
    Json,
}

impl Part {
    fn split(last: &str) -> Option<(&str, Self)> {
        let linkset = |one: Linkset| Some((last.strip_suffix(one.0)?, Self::Linkset(one)));
        if let Some(found) = signposting::LINKSETS.into_iter().find_map(linkset) {
            return Some(found);
        }
        // A form's longer suffix comes first: `.codemeta.json` is no `.json`.
        let form = Form::split(last).map(|(name, form)| (name, Self::Form(form)));
        let page = || Some((last.strip_suffix(".html")?, Self::Page));
        let json = || Some((last.strip_suffix(".json")?, Self::Json));
        form.or_else(page).or_else(json)
    }
}

/// A record or one of its versions, by name.
struct Named {
    zone: ZoneId,
    identifier: Identifier,
    version: Option<Version>,
}

impl Named {
    fn path(&self) -> String {
        let of_version = self.version.as_ref().map(|version| format!("/{version}")).unwrap_or_default();
        format!("{}/{}{of_version}", self.zone, self.identifier)
    }

    async fn find(&self, app: &App) -> Result<Found, Failure> {
        Found::find(app, &Viewer::anonymous(), &self.zone, &self.identifier, self.version.as_ref()).await
    }

    /// Redirects with 303: an identifier names the thing, not its description (Cool URIs for the Semantic Web, section 4.2).
    async fn lead(&self, app: &App, asked: &Asked, headers: &HeaderMap) -> Result<Response, Failure> {
        let target = target(asked, headers)?;
        let found = self.find(app).await?;
        if found.is_withdrawn {
            return self.gone(app, &found, headers, None);
        }
        self.lead_to(app, &target)
    }

    fn lead_to(&self, app: &App, target: &Target) -> Result<Response, Failure> {
        let path = self.path();
        let place = match target {
            Target::Page => format!("/record/{path}"),
            Target::Form(form) => format!("/id/{path}.{}", form.suffix),
            Target::Linkset((suffix, _)) => format!("/id/{path}{suffix}"),
            Target::Json => {
                let at = self.version.as_ref().map(|version| format!("?version={version}")).unwrap_or_default();
                format!("/api/v1/records/{}/{}{at}", self.zone, self.identifier)
            }
        };
        let vary = HeaderValue::from_static("Accept, Accept-Profile");
        let mut response = ([(header::VARY, vary)], Redirect::to(&place)).into_response();
        let linkset = |(suffix, kind)| format!("<{}/id/{path}{suffix}>; rel=\"linkset\"; type=\"{kind}\"", app.base);
        link(&mut response, signposting::LINKSETS.map(linkset));
        Ok(response)
    }

    /// Gives a document about it.
    async fn give(&self, app: &Arc<App>, part: Part, asked: &Asked, headers: &HeaderMap) -> Result<Response, Failure> {
        let found = self.find(app).await?;
        if found.is_withdrawn {
            let syntax = match part {
                Part::Form(form) => form.syntax(),
                Part::Linkset(_) | Part::Page | Part::Json => None,
            };
            return self.gone(app, &found, headers, syntax);
        }
        match part {
            Part::Page => return self.lead_to(app, &Target::Page),
            Part::Json => return self.lead_to(app, &Target::Json),
            Part::Form(_) | Part::Linkset(_) => {}
        }
        let part = match (part, &asked.profile) {
            (Part::Form(form), Some(name)) => {
                let profile = Profile::find(name).and_then(|profile| form.in_profile(profile));
                Part::Form(profile.ok_or_else(no_profile)?)
            }
            (part, _) => part,
        };
        let suffix = match part {
            Part::Form(form) => form.suffix,
            Part::Linkset((suffix, _)) => suffix.trim_start_matches('.'),
            Part::Page | Part::Json => "",
        };
        let tag = tag(&format!("{}-{suffix}", found.stored.seq))?;
        if is_unchanged(headers, &tag, Some(found.stored.modified)) {
            return Ok(unchanged(tag));
        }
        let described = self.described(app, &found)?;
        let modified = found.stored.modified;
        let mut response = tokio::task::spawn_blocking(move || match part {
            Part::Form(form) => written(&described, form, tag),
            Part::Linkset((_, kind @ "application/linkset")) => {
                document(kind, signposting::linkset_text(&described), Some(tag))
            }
            _ => {
                let body = format!("{:#}\n", signposting::linkset(&described));
                document("application/linkset+json", body, Some(tag))
            }
        })
        .await??;
        if let Some(date) = http_date(modified) {
            response.headers_mut().insert(header::LAST_MODIFIED, date);
        }
        Ok(response)
    }

    fn described(&self, app: &App, found: &Found) -> Result<Described, Failure> {
        let shown = found.shown.version().unwrap_or_else(|| found.stored.version.as_str());
        let version = self.version.as_ref().map_or(shown, |version| version.as_str());
        let package = found.versions.iter().find(|one| one.version.as_str() == version).and_then(package_of);
        described(&app.projection, &found.stored, self.version.as_ref().map(ToString::to_string), package)
            .ok_or_else(|| Failure::internal("the document cannot be read"))
    }

    /// Answers 410 with a tombstone: as RDF to who asks for that, as a page to a browser, as a problem to anybody else.
    fn gone(&self, app: &App, found: &Found, headers: &HeaderMap, syntax: Option<Syntax>) -> Result<Response, Failure> {
        let path = self.path();
        let known = found
            .versions
            .iter()
            .filter(|one| one.was_public && self.version.as_ref().is_none_or(|version| one.version == *version));
        let reason = known.rev().find_map(|one| one.reason.clone()).unwrap_or_else(|| "no reason was given".to_owned());
        let mut offered = vec!["application/problem+json", "application/json", "text/html"];
        offered.extend(Syntax::GRAPHS.map(Syntax::media_type));
        let chosen = match syntax {
            Some(syntax) => Some(syntax),
            None => match negotiate(accept_of(headers).as_deref(), &offered) {
                Some(2) => return page_of_tombstone(headers, &path, &reason),
                Some(index @ 3..) => Some(Syntax::GRAPHS[index - 3]),
                _ => None,
            },
        };
        let Some(syntax) = chosen else {
            let detail = format!("{reason}; its tombstone is at {}/record/{path}", app.base);
            return Err(Failure::new(StatusCode::GONE, "withdrawn", "this record was withdrawn", detail));
        };
        let tombstone = Tombstone {
            iri: format!("{}/id/{path}", app.homes.base_of(self.zone.as_str())),
            kind: found.stored.kind.clone(),
            removed: found.stored.modified.to_string(),
            reason,
            replaced_by: found.shown.string("replacedBy").map(str::to_owned),
        };
        let body = syntax.write(&tombstone::triples(&tombstone)).map_err(Failure::internal)?;
        let mut response = document(syntax.media_type(), body, None)?;
        *response.status_mut() = StatusCode::GONE;
        Ok(response)
    }
}

fn page_of_tombstone(headers: &HeaderMap, path: &str, reason: &str) -> Result<Response, Failure> {
    let escape = |text: &str| {
        let mut escaped = String::new();
        catalog_document::xml::escape(text, &mut escaped);
        escaped
    };
    let (path, reason) = (escape(path), escape(reason));
    let html = format!(
        "<h1>This record was withdrawn</h1><p>{reason}.</p><p>Its address stays reserved and will never name another record.</p>\
         <p><a href=\"/record/{path}\">What is left of it</a></p>"
    );
    let page = catalog_portal::reference(headers, &format!("/id/{path}"), "Withdrawn", &html);
    let mut response = document("text/html; charset=utf-8", page, None)?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept, Cookie"));
    *response.status_mut() = StatusCode::GONE;
    Ok(response)
}

fn written(described: &Described, form: &'static Form, tag: HeaderValue) -> Result<Response, Failure> {
    let body = form.write(described).map_err(Failure::internal)?;
    let mut response = document(form.media_type, body, Some(tag))?;
    link(&mut response, signposting::of_document(described, form).iter().map(signposting::Link::header));
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("content-profile"), HeaderValue::from_static(form.profile.iri()));
    let file = match form.suffix {
        "cff" => Some("CITATION.cff".to_owned()),
        "codemeta.json" => Some("codemeta.json".to_owned()),
        "ro-crate.jsonld" => Some("ro-crate-metadata.json".to_owned()),
        "bib" | "ris" | "csl.json" => Some(format!("{}.{}", described.identifier(), form.suffix)),
        _ => None,
    };
    if let Some(file) = file {
        let value = format!("inline; filename=\"{file}\"");
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&value).map_err(Failure::internal)?);
    }
    Ok(response)
}

/// What an identifier leads to.
enum Target {
    Page,
    Form(&'static Form),
    Linkset(Linkset),
    Json,
}

/// Chooses by profile, then by media type (W3C, Content Negotiation by Profile, sections 7 and 8).
fn target(asked: &Asked, headers: &HeaderMap) -> Result<Target, Failure> {
    let accept = accept_of(headers);
    let accept = accept.as_deref();
    let wanted = match &asked.profile {
        Some(name) => Some(Profile::find(name).ok_or_else(no_profile)?),
        None => profile_of(headers),
    };
    let Some(profile) = wanted else {
        let mut offered = vec!["text/html"];
        offered.extend(Form::all().iter().map(|form| form.essence()));
        offered.push("application/json");
        let before = offered.len();
        offered.extend(signposting::LINKSETS.map(|(_, kind)| kind));
        let chosen = negotiate(accept, &offered).ok_or_else(|| not_acceptable(&offered.join(", ")))?;
        return Ok(match chosen {
            0 => Target::Page,
            index if index >= before => Target::Linkset(signposting::LINKSETS[index - before]),
            index => Form::all().get(index - 1).map_or(Target::Json, Target::Form),
        });
    };
    let forms: Vec<&'static Form> = Form::of(profile).collect();
    let types: Vec<&str> = forms.iter().map(|form| form.essence()).collect();
    if let Some(index) = negotiate(accept, &types) {
        return Ok(Target::Form(forms[index]));
    }
    // A generic type will do for a form that has one of its own.
    let generic = |form: &Form| match form.essence() {
        essence if essence.ends_with("ld+json") => "application/ld+json",
        essence if essence.ends_with("+json") => "application/json",
        essence if essence.ends_with("+xml") => "application/xml",
        essence => essence,
    };
    let types: Vec<&str> = forms.iter().map(|form| generic(form)).collect();
    let index = negotiate(accept, &types).ok_or_else(|| not_acceptable(&types.join(", ")))?;
    Ok(Target::Form(forms[index]))
}

/// Reads the profile that headers ask for: `Accept-Profile`, or a `profile` parameter in `Accept`.
fn profile_of(headers: &HeaderMap) -> Option<Profile> {
    let listed = headers.get("accept-profile").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut wanted: Vec<(f32, Profile)> = Vec::new();
    for item in listed.split(',').take(32) {
        let (iri, parameters) = item.split_once('>').unwrap_or((item, ""));
        let quality =
            parameters.split(';').find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        wanted.extend(Profile::find(iri.trim().trim_start_matches('<')).map(|profile| (quality, profile)));
    }
    let best = wanted.iter().filter(|(quality, _)| *quality > 0.0).max_by(|one, other| one.0.total_cmp(&other.0));
    let in_type = || {
        let accept = accept_of(headers)?;
        let (_, rest) = accept.split_once("profile=")?;
        Profile::find(rest.trim_start_matches('"').split(['"', ';', ',', ' ']).next()?)
    };
    best.map(|(_, profile)| *profile).or_else(in_type)
}

fn no_profile() -> Failure {
    let detail = format!("the profiles are {}", signposting::profiles());
    Failure::new(StatusCode::NOT_ACCEPTABLE, "profile.unknown", "no such profile in this format", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_to(accept: Option<&str>, profile: Option<&str>, header: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in [("accept", accept), ("accept-profile", header)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        let asked = Asked { profile: profile.map(str::to_owned) };
        match target(&asked, &headers) {
            Ok(Target::Page) => "page".to_owned(),
            Ok(Target::Form(form)) => form.suffix.to_owned(),
            Ok(Target::Json) => "json".to_owned(),
            Ok(Target::Linkset((suffix, _))) => suffix.to_owned(),
            Err(failure) => failure.status().as_u16().to_string(),
        }
    }

    #[test]
    fn media_types_and_profiles_decide() {
        let browser = Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        let rows = [
            (None, None, None, "page"),
            (browser, None, None, "page"),
            (browser, Some("dcat-ap"), None, "dcat-ap.ttl"),
            (browser, Some("datacite"), None, "datacite.xml"),
            (Some("text/turtle"), None, None, "ttl"),
            (Some("application/trig"), None, None, "trig"),
            (Some("application/json"), None, None, "json"),
            (Some("application/json"), Some("datacite"), None, "datacite.json"),
            (Some("application/xml"), Some("datacite"), None, "datacite.xml"),
            (Some("application/ld+json"), Some("schema"), None, "schema.jsonld"),
            (Some("application/ld+json"), Some("ro-crate"), None, "ro-crate.jsonld"),
            (Some("application/ld+json; profile=\"https://w3id.org/ro/crate\""), None, None, "ro-crate.jsonld"),
            (Some("application/vnd.datacite.datacite+xml"), None, None, "datacite.xml"),
            (Some("application/x-bibtex"), None, None, "bib"),
            (Some("text/turtle"), None, Some("<http://data.europa.eu/r5r/>"), "dcat-ap.ttl"),
            (
                Some("text/turtle"),
                None,
                Some("<https://schema.org/>;q=0.2, <http://data.europa.eu/r5r>;q=0.8"),
                "dcat-ap.ttl",
            ),
            (Some("text/turtle"), None, Some("<http://nowhere.example/>"), "ttl"),
            (Some("text/turtle"), Some("nothing"), None, "406"),
            (Some("text/turtle"), Some("citation"), None, "406"),
            (Some("application/linkset+json"), None, None, ".linkset.json"),
            (Some("application/linkset"), None, None, ".linkset.txt"),
            (Some("image/png"), None, None, "406"),
        ];
        for (accept, profile, header, expected) in rows {
            assert_eq!(leads_to(accept, profile, header), expected, "{accept:?} {profile:?} {header:?}");
        }
    }
}
