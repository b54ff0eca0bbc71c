"""Interactive pieces that work twice: live in Jupyter, and in the static page without a kernel."""

from .contexts import ContextClusters, context_clusters, project
from .frames import FramesSlider, frames_slider
from .noise import NoiseFrames, NoiseSlider, noise_frames, noise_slider
from .tree import TreeExplorer, tree_explorer

__all__ = [
    "ContextClusters",
    "FramesSlider",
    "NoiseFrames",
    "NoiseSlider",
    "TreeExplorer",
    "context_clusters",
    "frames_slider",
    "noise_frames",
    "noise_slider",
    "project",
    "tree_explorer",
]
