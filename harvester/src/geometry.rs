//! Places on Earth in the forms that catalogues use, brought to well-known text with longitude before latitude.

/// Reads well-known text, an `ENVELOPE` or the four numbers of a box: west, south, east, north.
pub(crate) fn text(given: &str) -> Option<String> {
    let given = given.trim();
    // GeoSPARQL puts the reference system before the text; only the usual one has longitude first.
    let given = match given.strip_prefix('<') {
        Some(rest) => {
            let (system, rest) = rest.split_once('>')?;
            if !system.contains("CRS84") {
                return None;
            }
            rest.trim()
        }
        None => given,
    };
    let upper = given.to_ascii_uppercase();
    if let Some(rest) = upper.strip_prefix("ENVELOPE") {
        // OGC's filter language: west, east, north, south.
        let [west, east, north, south] = numbers(rest)?;
        return rectangle(west, south, east, north);
    }
    if given.starts_with(['[', '-', '+', '.']) || given.starts_with(|c: char| c.is_ascii_digit()) {
        let [west, south, east, north] = numbers(given)?;
        return rectangle(west, south, east, north);
    }
    if given.starts_with('{') {
        return geo_json(&serde_json::from_str(given).ok()?);
    }
    let kinds = ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"];
    let kind = kinds.iter().rev().find(|kind| upper.starts_with(**kind))?;
    let rest = given[kind.len()..].trim_start();
    // Not more than a manifest takes, and nothing but numbers.
    let is_plain = rest.starts_with('(')
        && rest.ends_with(')')
        && rest.chars().all(|c| c.is_ascii_digit() || " ().,+-eE\n\t".contains(c));
    (is_plain && given.len() <= 100_000).then(|| format!("{kind}{rest}"))
}

fn numbers(text: &str) -> Option<[f64; 4]> {
    let parts = text.split([',', ' ', '(', ')', '[', ']']).filter(|part| !part.is_empty());
    let numbers: Vec<f64> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [west, south, east, north] => Some([*west, *south, *east, *north]),
        // With heights between (RFC 7946, 5).
        [west, south, _, east, north, _] => Some([*west, *south, *east, *north]),
        _ => None,
    }
}

/// Writes a box; one that crosses the antimeridian becomes two, as RFC 7946 §3.1.9 asks.
fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Option<String> {
    let valid = [west, east].iter().all(|x| (-360.0..=360.0).contains(x))
        && [south, north].iter().all(|y| (-90.0..=90.0).contains(y))
        && south <= north;
    if !valid {
        return None;
    }
    let (west, east) = (within(west), within(east));
    let ring = |west: f64, east: f64| {
        format!("(({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))")
    };
    Some(if west == east && south == north {
        format!("POINT({west} {south})")
    } else if west <= east {
        format!("POLYGON{}", ring(west, east))
    } else {
        format!("MULTIPOLYGON({}, {})", ring(west, 180.0), ring(-180.0, east))
    })
}

/// Brings a longitude between -180 and 180.
fn within(longitude: f64) -> f64 {
    if longitude > 180.0 {
        longitude - 360.0
    } else if longitude < -180.0 {
        longitude + 360.0
    } else {
        longitude
    }
}

/// Writes a GeoJSON geometry.
fn geo_json(value: &serde_json::Value) -> Option<String> {
    let coordinates = value.get("coordinates")?;
    let kind = value.get("type")?.as_str()?.to_ascii_uppercase();
    let depth = match kind.as_str() {
        "POINT" => 0,
        "LINESTRING" | "MULTIPOINT" => 1,
        "POLYGON" | "MULTILINESTRING" => 2,
        "MULTIPOLYGON" => 3,
        _ => return None,
    };
    let text = ring(coordinates, depth)?;
    let text = if depth == 0 { format!("({text})") } else { text };
    (text.len() <= 100_000).then(|| format!("{kind}{text}"))
}

fn ring(value: &serde_json::Value, depth: usize) -> Option<String> {
    let items = value.as_array()?;
    if depth == 0 {
        let (x, y) = (items.first()?.as_f64()?, items.get(1)?.as_f64()?);
        return Some(format!("{x} {y}"));
    }
    let parts: Vec<_> = items.iter().map(|item| ring(item, depth - 1)).collect::<Option<_>>()?;
    (!parts.is_empty()).then(|| format!("({})", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn places_are_written_in_one_way() {
        for (given, expected) in [
            ("[-180.0, -90.0, 180.0, 90.0]", Some("POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))")),
            (
                "[163.0, -60.0, -77.0, 60.0]",
                Some(
                    "MULTIPOLYGON(((163 -60, 180 -60, 180 60, 163 60, 163 -60)), ((-180 -60, -77 -60, -77 60, -180 60, -180 -60)))",
                ),
            ),
            ("ENVELOPE(4, 6, 53, 51)", Some("POLYGON((4 51, 6 51, 6 53, 4 53, 4 51))")),
            ("5.5 52 5.5 52", Some("POINT(5.5 52)")),
            ("point (1 2)", Some("POINT(1 2)")),
            ("<http://www.opengis.net/def/crs/OGC/1.3/CRS84> POINT(1 2)", Some("POINT(1 2)")),
            (r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#, Some("POLYGON((0 0, 1 0, 1 1, 0 0))")),
            ("[1, 2, 3]", None),
            ("[0, 80, 10, -80]", None),
            ("<http://www.opengis.net/def/crs/EPSG/0/4326> POINT(1 2)", None),
            ("everywhere", None),
            ("POLYGON((<script>", None),
        ] {
            assert_eq!(text(given).as_deref(), expected, "{given}");
        }
    }
}
