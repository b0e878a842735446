from pathlib import Path

import pytest

from ecns import config


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "ecns.toml"
    path.write_text(text)
    return config.load(path)


def test_nothing_configured_means_everything_embedded(tmp_path: Path) -> None:
    loaded = load(tmp_path, "")
    assert loaded.identity is None
    assert loaded.clusters == ()
    assert loaded.server.host == "127.0.0.1"


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "kube").write_text("")
    loaded = load(tmp_path, '[[clusters]]\nname = "one"\nkubeconfig = "kube"\ntype = "EHOS"\n')
    assert loaded.clusters[0].kubeconfig == tmp_path / "kube"
    assert loaded.clusters[0].type == "EHOS"


def test_a_directory_of_kubeconfigs_has_no_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "clusters").mkdir()
    loaded = load(tmp_path, '[[clusters]]\nkubeconfig = "clusters/"\nauth = "keystone-token"\n')
    assert loaded.clusters[0].kubeconfig == tmp_path / "clusters"
    assert loaded.clusters[0].auth == "keystone-token"
    with pytest.raises(config.ConfigError, match="named by its files"):
        load(tmp_path, '[[clusters]]\nname = "a"\nkubeconfig = "clusters"\n')


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[clusters]]\ntype = "EKS"\n', "`name` is needed"),
        ('[[clusters]]\nname = "a"\nauth = "magic"\n', "$.clusters[0].auth"),
        ("[server]\nprot = 1\n", "prot"),
        ('[server]\nport = "x"\n', "$.server.port"),
        ("[server]\nlog_level = 'loud'\n", "$.server.log_level"),
        ("[identity]\ntimeout = 1.0\n", "auth_url"),
        ('[[clusters]]\nname = "a"\ntype = "K8S"\n', "$.clusters[0].type"),
        ('[[clusters]]\nname = "a"\n[[clusters]]\nname = "a"\n', "[[clusters]]"),
        ('[[clusters]]\nname = "a"\nkubeconfig = "gone"\n', "clusters.a.kubeconfig"),
        ('[identity]\nauth_url = "http://k"\npolicy_file = "gone"\n', "identity.policy_file"),
        ('[server]\ntls_certificate = "c"\n', "server.tls_key"),
        ('[harbor]\nurl = "https://h"\npassword_file = "gone"\n', "harbor.password_file"),
        ('[harbor]\nurl = "https://h"\nca_file = "gone"\n', "harbor.ca_file"),
        ('[harbor]\nurl = "https://h"\nlogin_days = -2\n', "$.harbor.login_days"),
        ("[uploads]\nlimit = 0\n", "$.uploads.limit"),
        ("[terminals]\nidle = 0\n", "$.terminals.idle"),
        ('[terminals]\norigins = "https://x"\n', "$.terminals.origins"),
        ("[uploads]\nat_once = 0\n", "$.uploads.at_once"),
        ('[openstack]\napplication_credential_id = "a"\n', "application_credential_secret_file"),
        ('[openstack]\ninterface = "secret"\n', "$.openstack.interface"),
        ("[openstack]\ntimeout = 0\n", "$.openstack.timeout"),
        ('[[kubernetes_versions]]\nversion = "1"\ncontainer_runtimes = []\n', "container_runtimes"),
        ("server]", "not TOML"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="No such file"):
        config.load(tmp_path / "gone.toml")


def test_the_data_directory_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECNS_DATA_DIR", "somewhere")
    assert config.default_data_dir() == Path("somewhere")
    monkeypatch.delenv("ECNS_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert config.default_data_dir() == Path("data/ecns")
