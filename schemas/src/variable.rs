//! Environment variables that a datalab may set.

/// Says whether a manifest may set an environment variable.
///
/// Names are upper-case words. Refused are those by which the loader, the container runtime, a GPU runtime or a
/// proxy is steered: `NVIDIA_VISIBLE_DEVICES=all` would be given every GPU of the machine.
pub fn may_be_set(name: &str) -> bool {
    const REFUSED: [&str; 8] =
        ["PATH", "HOME", "USER", "HOSTNAME", "CUDA_VISIBLE_DEVICES", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    const REFUSED_PREFIXES: [&str; 6] = ["LD_", "NVIDIA_", "DOCKER_", "KUBERNETES_", "ALIDADE_", "AMD_"];
    let is_word = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_word && !REFUSED.contains(&name) && !REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::may_be_set;

    #[test]
    fn a_datalab_sets_its_own_variables_only() {
        for good in ["TZ", "JUPYTER_PORT", "A1_B"] {
            assert!(may_be_set(good), "{good}");
        }
        for bad in ["", "lower", "A=B", "A\0", "LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "PATH", "1A", "ALIDADE_X"] {
            assert!(!may_be_set(bad), "{bad}");
        }
    }
}
