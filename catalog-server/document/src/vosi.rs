//! VOSI 1.1: the availability and the capabilities of the service, for clients of the Virtual Observatory.

use crate::xml::Xml;

const XSI: (&str, &str) = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");

/// Returns the availability.
pub fn availability(is_available: bool, up_since: &str, notes: &[String]) -> String {
    let mut xml = Xml::document();
    xml.open("vosi:availability", &[("xmlns:vosi", "http://www.ivoa.net/xml/VOSIAvailability/v1.0"), XSI]);
    xml.leaf("vosi:available", &[], if is_available { "true" } else { "false" });
    xml.leaf("vosi:upSince", &[], up_since);
    for note in notes {
        xml.leaf("vosi:note", &[], note);
    }
    xml.finish()
}

/// Returns the capabilities: VOSI's own, and the interfaces that are the catalogue's.
pub fn capabilities(base: &str) -> String {
    let mut xml = Xml::document();
    xml.open(
        "vosi:capabilities",
        &[
            ("xmlns:vosi", "http://www.ivoa.net/xml/VOSICapabilities/v1.0"),
            ("xmlns:vr", "http://www.ivoa.net/xml/VOResource/v1.0"),
            ("xmlns:vs", "http://www.ivoa.net/xml/VODataService/v1.1"),
            XSI,
        ],
    );
    let rows = [
        (Some("ivo://ivoa.net/std/VOSI#availability"), "vs:ParamHTTP", "vosi/availability", "full"),
        (Some("ivo://ivoa.net/std/VOSI#capabilities"), "vs:ParamHTTP", "vosi/capabilities", "full"),
        (None, "vr:WebBrowser", "", "full"),
        (None, "vs:ParamHTTP", "sparql", "base"),
        (None, "vs:ParamHTTP", "oai", "base"),
        (None, "vs:ParamHTTP", "ga4gh/trs/v2", "base"),
    ];
    for (standard, kind, path, url_use) in rows {
        let attributes: Vec<(&str, &str)> = standard.into_iter().map(|id| ("standardID", id)).collect();
        xml.open("capability", &attributes);
        let version: &[(&str, &str)] = if kind == "vs:ParamHTTP" { &[("role", "std")] } else { &[] };
        let mut attributes = vec![("xsi:type", kind)];
        attributes.extend_from_slice(version);
        xml.open("interface", &attributes);
        xml.leaf("accessURL", &[("use", url_use)], &format!("{base}/{path}"));
        xml.close().close();
    }
    xml.finish()
}
