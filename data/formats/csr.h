// Graphs as scipy.sparse.save_npz writes them in compressed sparse rows.
//
//   data.npy [m]   indices.npy [m]   indptr.npy [rows + 1]   shape.npy (rows, columns)   format.npy b'csr'
//   row i has the entries indptr[i] .. indptr[i + 1] - 1: to column indices[e] with the value data[e]
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace kith::data {

struct CsrGraph {
  int64_t rows = 0, columns = 0;
  std::vector<int64_t> starts;   // indptr
  std::vector<int64_t> indices;  // in any order within a row, as they stand in the file: of any value
  std::vector<double> values;    // explicit zeros are entries
};

// Any width of indices and values, members stored or deflated. Entries after the last row's are left out, as SciPy does. Error
// names the file: another format of matrix (csc, coo ...), row pointers that do not ascend from 0 or pass the entries, lengths
// that differ, and what zip.h and npy.h refuse.
CsrGraph read_csr(const std::filesystem::path&);

// scipy.sparse.load_npz reads it; values as f32, indices and indptr as int64. Atomic.
void write_csr(const std::filesystem::path&, const CsrGraph&);

}  // namespace kith::data
