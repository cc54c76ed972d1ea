"""Find the faces in pictures and print their boxes: ``python detect_picture.py photo.jpg``.

Takes anything that holds pictures: a file, a folder, a pattern, a video. Without one, six frames of the demo.
"""

import sys

import vedette

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "demo://?pace=none&seconds=0.2&size=640x360"


def main() -> None:
    with vedette.open(SOURCE) as pictures, vedette.load("face-detector") as detector:
        for frame in iter(pictures.read, None):
            faces = detector.detect(frame.image)  # `vedette.read_image(path)` gives a single picture
            print(f"{frame.source} #{frame.index}: {len(faces)} face(s)")
            for box, score in zip(faces.xyxy, faces.score, strict=True):
                print(f"  {score:.2f} at {box.round().astype(int).tolist()}")


if __name__ == "__main__":
    main()
