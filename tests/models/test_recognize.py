"""Faces found, measured and looked for in a gallery: real code, with networks that answer as asked."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.test_face_embed import CONTRACT, PICTURE, SIDE, model
from vedette.errors import FaceRefused, GalleryError, VedetteError
from vedette.gallery.calibrate import ImpostorScores
from vedette.gallery.gallery import Gallery
from vedette.gallery.seal import UNENCRYPTED
from vedette.models.face_embed import FaceEmbedder
from vedette.models.recognize import FaceRecognizer, embedding_model, impostors_of
from vedette.ops.faces import ALIGNED_POINTS
from vedette.testing import FakeEngine
from vedette.types import Faces, TensorSpec
