"""EnergyDetector in an ensemble of PyOD. Needs `pip install pyod`."""

import numpy as np
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lscp import LSCP
from sklearn.metrics import roc_auc_score

from energybased.detectors.pyod import EnergyPyOD

rng = np.random.default_rng(0)
train = rng.standard_normal((1000, 5)) @ rng.standard_normal((5, 5))
normal = rng.permutation(train)[:200] + 0.05 * rng.standard_normal((200, 5))
mixed = np.stack([rng.permutation(column) for column in train[:200].T], 1)  # columns that do not belong together
test, labels = np.concatenate([normal, mixed]), np.repeat([0, 1], 200)

detectors = [EnergyPyOD(novelty=True, random_state=0), KNN(), IForest(random_state=0)]
ensemble = LSCP(detectors, random_state=0)  # for each row, the detectors that agree with the others nearby
for detector in (*detectors, ensemble):
    scores = detector.fit(train).decision_function(test)
    print(f"{type(detector).__name__:<10} AUROC {roc_auc_score(labels, scores):.3f}")
