// kith predict --features: rows of features, by a run of kith cluster --features.
#pragma once
#include <string>
#include <vector>

#include "apps/answers/answer_options.h"
#include "apps/answers/predictions.h"

namespace kith {

// `features`: a file (.npy or .safetensors[:TENSOR]) per space of the run, in its order. `probabilities` [rows, clusters], where asked
// for. Errors as RowPredictor's (scan/features/predict_rows.h).
NamedAnswers answers_of_rows(const AnswerOptions&, const std::vector<std::string>& features,
                             std::vector<float>* probabilities);

}  // namespace kith
