"""The engines, in the order in which they run. Importing their modules collects the scenarios."""

from . import buildah, containerd, cri, crio, docker, podman
from . import docker_life, docker_process, docker_isolation, docker_limits, docker_daemon, docker_nested  # noqa: F401
from . import podman_user  # noqa: F401

ENGINES = {
    "docker": docker.Docker,
    "containerd": containerd.Containerd,
    "cri": cri.Cri,
    "crio": crio.Conmon,
    "podman": podman.Podman,
    "buildah": buildah.Buildah,
}
