# SPDX-License-Identifier: Apache-2.0
"""Tables and pictures for people, from the files that runs leave behind."""

from .confusion import draw_confusion
from .curves import plot_curves
from .embedding import Points, draw_embeddings, embed
from .gallery import Doubtful, doubtful_images, draw_gallery
from .histogram import draw_histogram, draw_table, mixture_of, picture_scores
from .overview import draw_overview
from .records import RunRecord, read_record
from .runs import Run, find_runs, images_of_part, read_config, read_run
from .style import save, title_of, to_array

__all__ = [
    'Doubtful',
    'Points',
    'Run',
    'RunRecord',
    'doubtful_images',
    'draw_confusion',
    'draw_embeddings',
    'draw_gallery',
    'draw_histogram',
    'draw_overview',
    'draw_table',
    'embed',
    'find_runs',
    'images_of_part',
    'mixture_of',
    'picture_scores',
    'plot_curves',
    'read_config',
    'read_record',
    'read_run',
    'save',
    'title_of',
    'to_array',
]
