"""The script that one writes by hand: OpenCV reads, MediaPipe finds the face in each frame, ONNX Runtime classifies it.

Everything as the documentation of each shows it: MediaPipe's detector in IMAGE mode, a classifier in fp32 of the size
of EfficientNet-B0 (what EmotiEffLib and HSEmotion run) with as many threads as ONNX Runtime takes by itself.

    python -m benchmarks.measures.peers.by_hand VIDEO DETECTOR.tflite CLASSIFIER.onnx
"""

import sys
from collections.abc import Iterable

import cv2
import mediapipe
import numpy as np
import onnxruntime
from mediapipe.tasks.python import BaseOptions, vision

from benchmarks.measures.peers.reading import Face, read_with_opencv

PACKAGES = ("opencv-python-headless", "mediapipe", "onnxruntime", "numpy")
SIZE = 224
MEAN, DEVIATION = (
    np.array([0.485, 0.456, 0.406], np.float32),
    np.array([0.229, 0.224, 0.225], np.float32),
)  # of ImageNet, in RGB


def main() -> None:
    """Read and print the reading."""
    options = vision.FaceDetectorOptions(BaseOptions(model_asset_path=sys.argv[2]))
    session = onnxruntime.InferenceSession(sys.argv[3], providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with vision.FaceDetector.create_from_options(options) as detector:

        def look(picture: np.ndarray) -> Iterable[Face]:
            height, width = picture.shape[:2]
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
            for found in detector.detect(image).detections:
                box = found.bounding_box
                left, top = max(0, box.origin_x), max(0, box.origin_y)
                crop = rgb[top : box.origin_y + box.height, left : box.origin_x + box.width]
                if crop.size:
                    scaled = (cv2.resize(crop, (SIZE, SIZE)).astype(np.float32) / 255 - MEAN) / DEVIATION
                    session.run(None, {name: np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)})
                    yield left / width, top / height, box.width / width, box.height / height

        read_with_opencv(look, PACKAGES)


if __name__ == "__main__":
    main()
