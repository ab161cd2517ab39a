"""Faces of 64 x 64 beside those of 28 x 28, labelled by person: `python -m benchmarks.lfw` (about 2 hours).

Takes the user's own tree of pictures, RCGAN_DATA/lfw_home/lfw_funneled; fetched where it is not there.
"""

from benchmarks.size64 import compare

if __name__ == "__main__":
    compare("lfw", "lfw", min_faces_per_person=70)  # 7 persons, 1,288 pictures
